"""The animated square in the whole picture: still where it should be still, no seam, nothing lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from media.avatar.enrol import resampled
from media.avatar.face import FaceState, mouth
from media.avatar.landmarks import Picture
from media.studio.framing import Framing, Portrait, View, view_of
from media.studio.scene import Scene, snapped
from tests.media.avatar.faces import drawn_pack
from tests.media.studio.portraits import placed


def shown(scene: Scene, face: FaceState) -> Picture:
    frame = scene.paint(face)
    assert frame.shape == (scene.height * 3 // 2, scene.width)
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420), np.uint8)


def differs(a: Picture, b: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    return np.asarray(np.abs(a.astype(int) - b).max(-1))


TURNED = FaceState(mouth=mouth(jaw=0.6), yaw=0.1, pitch=0.05, roll=0.03, shift_x=0.03, shift_y=0.03, breath=1.0)


@pytest.mark.parametrize(
    ("portrait", "framing"),
    [
        (placed(1280, 720, left=500.0, top=60.0, side=400.0), Framing(720)),
        (placed(1280, 720, left=300.0, top=0.0, side=720.0), Framing(480)),
        (placed(600, 600), Framing(1080)),
        (placed(800, 800, left=100.0, top=150.0, side=500.0), Framing(400, crop=True, expand_ratio=0.2)),
    ],
    ids=["small", "reduced", "enlarged", "crop"],
)
def test_a_face_at_rest_is_the_picture_itself(portrait: Portrait, framing: Framing) -> None:
    view = view_of(portrait, framing)
    moved, *_ = snapped(view, portrait.place)
    shift = [(0.5 - start) * moved.scale - 0.5 for start in (moved.left, moved.top)]
    matrix = np.array([[moved.scale, 0, shift[0]], [0, moved.scale, shift[1]]])
    plain = resampled(portrait.picture, matrix, view.width, view.height)
    luma = cv2.cvtColor(plain, cv2.COLOR_RGB2YUV_I420)[: view.height]
    away = np.abs(Scene(portrait, view).paint(FaceState())[: view.height].astype(int) - luma)
    assert np.quantile(away, 0.99) <= 8  # where lips and lids move, the finest detail is left out
    assert np.median(away) <= 1


def test_only_the_square_moves_and_its_edges_do_not() -> None:
    portrait = placed(1280, 720, left=460.0, top=100.0, side=420.0)
    scene = Scene(portrait, view_of(portrait, Framing(720)))
    away = differs(shown(scene, TURNED), shown(scene, FaceState()))
    inside = np.zeros(away.shape, bool)
    inside[100:520, 460:880] = True
    assert away[~inside].max() == 0
    assert away[inside].max() > 60
    for edge in (away[100:520, 460:463], away[100:520, 877:880], away[100:103, 460:880], away[517:520, 460:880]):
        assert edge.max() <= 14


def test_where_the_square_ends_with_the_picture_its_bottom_moves() -> None:
    pack = drawn_pack()
    pack.portrait[400::8] = 250
    portrait = Portrait.of_pack(pack)
    scene = Scene(portrait, view_of(portrait, Framing(512)))
    breathing = differs(shown(scene, FaceState(breath=1.0)), shown(scene, FaceState(breath=-1.0)))
    assert breathing[-12:].max() > 40


def test_detail_that_the_puppet_cannot_hold_is_kept_and_moves_with_the_head() -> None:
    portrait = placed(1000, 1000)
    fine = portrait.picture.copy()
    fine[180:300:4, 400:600] = 255 - fine[180:300:4, 400:600]  # lines on the forehead, one pixel thick
    sharp = Portrait(fine, portrait.pack, portrait.place)
    scene = Scene(sharp, view_of(sharp, Framing(1000)))

    def lines(face: FaceState) -> float:
        grey = shown(scene, face).mean(-1)[180:300, 450:550]
        return float(np.abs(np.diff(grey, axis=0)).mean())

    still, moved = lines(FaceState()), lines(FaceState(shift_y=0.04))
    assert still > 20
    assert moved > 0.5 * still
    grey = [shown(scene, face).mean(-1)[200:280, 500] for face in (FaceState(), FaceState(shift_y=0.04))]
    assert np.abs(grey[0] - grey[1]).max() > 20


def test_the_frame_beside_a_narrow_picture_is_filled_without_black() -> None:
    portrait = placed(300, 900, left=0.0, top=200.0, side=300.0)
    view = view_of(portrait, Framing(480, aspect=16 / 9))
    picture = shown(Scene(portrait, view), FaceState())
    assert picture.shape == (480, 854, 3)
    assert picture[:, :200].min() > 30
    assert picture[:, :200].std() < picture[:, 360:490].std()


def test_a_view_closer_than_the_square_shows_its_part_of_it() -> None:
    portrait = placed(1024, 1024)
    scene = Scene(portrait, View(300.0, 300.0, 1.5, 400, 300))
    assert differs(shown(scene, TURNED), shown(scene, FaceState())).max() > 40


def test_frames_do_not_depend_on_the_thread_that_draws_them() -> None:
    portrait = placed(900, 700, left=200.0, top=60.0, side=500.0)
    scene = Scene(portrait, view_of(portrait, Framing(480)))
    faces = [FaceState(mouth=mouth(jaw=0.1 * k), yaw=0.01 * k) for k in range(8)]
    alone = [scene.paint(face) for face in faces]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(scene.paint, faces * 3))
    assert all(np.array_equal(a, b) for a, b in zip(alone * 3, together, strict=True))
