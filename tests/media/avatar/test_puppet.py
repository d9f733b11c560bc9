from __future__ import annotations

import itertools

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from media.avatar.driver import FaceDriver, Mood
from media.avatar.face import FaceState, mouth
from media.avatar.pack import SIDE
from media.avatar.puppet.fields import Grid
from media.avatar.puppet.renderer import Puppet
from media.avatar.renderer import I420, Moment, PuppetRenderer, draw, to_frame
from media.avatar.visemes import PhonemeTrack
from tests.media.avatar.faces import drawn_pack

PACK = drawn_pack()
PUPPET = Puppet(PACK)


def picture(state: FaceState, puppet: Puppet = PUPPET) -> npt.NDArray[np.int32]:
    return puppet.draw(state)[..., :3].astype(np.int32)


def dark_rows(state: FaceState) -> int:
    """Rows in the middle of the mouth darker than lips: how far it is open."""
    column = picture(state)[285:352, 256].sum(-1)
    return int((column < 200).sum())


def test_a_face_at_rest_is_the_portrait() -> None:
    assert np.abs(picture(FaceState()) - PACK.portrait).max() <= 2


def test_the_same_state_gives_the_same_picture() -> None:
    state = FaceState(mouth=mouth(jaw=0.6, wide=0.1), yaw=0.05, lids=(0.4, 0.4), gaze_x=0.2)
    assert np.array_equal(PUPPET.draw(state), Puppet(PACK).draw(state))


def test_the_jaw_opens_the_mouth_as_far_as_asked() -> None:
    openings = [dark_rows(FaceState(mouth=mouth(jaw=jaw))) for jaw in (0.0, 0.4, 0.8, 1.2)]
    assert openings[0] == 0
    assert openings == sorted(openings)
    assert openings[3] > 20


@pytest.mark.parametrize("shape", ["press", "bite"])
def test_closing_shapes_leave_no_gap(shape: str) -> None:
    assert dark_rows(FaceState(mouth=mouth(**{shape: 0.5}))) == 0


def test_lips_parted_in_the_portrait_are_brought_together() -> None:
    pack = drawn_pack(parted=12.0)
    puppet = Puppet(pack)
    bright = pack.portrait[296:304, 240:272].min()
    assert bright > 150  # teeth show in the portrait
    assert picture(FaceState(mouth=mouth(close=1.0)), puppet)[298:302, 250:262].min() < 110


def test_the_collar_does_not_move_with_the_chin() -> None:
    still, speaking = picture(FaceState()), picture(FaceState(mouth=mouth(jaw=1.0)))
    assert np.abs(still - speaking)[430:].max() <= 2
    assert np.abs(still - speaking)[350:380, 240:270].max() > 20  # the chin itself does


def test_a_blink_moves_nothing_above_the_lid() -> None:
    changed = np.abs(picture(FaceState(lids=(1.0, 1.0))) - picture(FaceState())).max(-1)
    rows, columns = np.nonzero(changed > 2)
    assert rows.min() >= 190
    assert rows.max() <= 230
    assert set(np.unique(columns // 256)) == {0, 1}


def test_eyes_look_where_they_are_told_and_lids_stay() -> None:
    def dark(state: FaceState) -> float:
        eye = picture(state)[206:224, 200:232].sum(-1)
        return float(np.average(np.arange(32), weights=(eye < 300).sum(0) + 1e-6))

    assert dark(FaceState(gaze_x=0.5)) > dark(FaceState()) + 1.5 > dark(FaceState(gaze_x=-0.5)) + 3


def test_the_head_turns_and_the_borders_stay() -> None:
    still, turned = picture(FaceState()), picture(FaceState(yaw=0.12, pitch=0.05, roll=0.05))
    assert np.abs(still - turned)[200:300, 200:300].max() > 30
    assert np.abs(still - turned)[:, :2].max() <= 2


@pytest.mark.parametrize("mood", list(Mood))
def test_no_frame_is_black_or_frozen(mood: Mood) -> None:
    track = PhonemeTrack()
    for number in range(20):
        track.add("mɑ"[number % 2], 0.1 * number, 0.1 * number + 0.1)
    driver = FaceDriver(seed=1)
    driver.set_mood(mood, 0.0)
    if mood is Mood.SPEAKING:
        driver.play(track, 0.0)
    frames = [draw(PUPPET, driver.state((k + 0.5) / 25)).i420 for k in range(40)]
    assert all(frame[:SIDE].mean() > 60 for frame in frames)
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(frames))


def test_extreme_states_are_drawn_without_harm() -> None:
    wild = FaceState(
        mouth=mouth(jaw=2.0, wide=-0.9, round=1.0, upper=0.5, lower=0.5, close=3.0, press=2.0, bite=1.0, smile=1.0),
        lids=(2.0, -1.0),
        gaze_x=3.0,
        gaze_y=-3.0,
        yaw=0.5,
        pitch=-0.5,
        roll=0.5,
        shift_x=0.5,
        zoom=0.5,
        brows=3.0,
    )
    assert PUPPET.draw(wild).shape == (SIDE, SIDE, 4)
    assert (PUPPET.draw(wild)[..., 3] == 255).all()


def test_an_inverted_field_undoes_a_strong_stretch() -> None:
    grid = Grid(0, 0, 40, 60, 6)
    y = grid.points[..., 1]
    field = np.zeros((60, 40, 2), np.float32)
    field[..., 1] = 60 / (1 + np.exp(-(y - 180) / 12))  # slope up to 1.25, where substitution diverges
    come = grid.inverse(field, 3)
    landed = grid.points - come
    back = landed + grid.sample(field, landed.astype(np.float32))
    assert np.abs(back - grid.points)[2:-12, 2:-2].max() < 1.5


def test_frames_are_i420_in_limited_range() -> None:
    frame = to_frame(PUPPET.draw(FaceState()))
    assert frame.i420.shape == I420
    assert frame.i420.dtype == np.uint8
    assert np.abs(frame.rgb().astype(int) - PACK.portrait).mean() < 6
    white = np.full((SIDE, SIDE, 4), 255, np.uint8)
    assert to_frame(white).i420[0, 0] == 235
    assert cv2.getNumThreads() == 1


async def test_sessions_share_what_is_prepared_and_get_their_own_frames() -> None:
    renderer = PuppetRenderer(threads=2)
    try:
        one, other = await renderer.prepare(PACK), await renderer.prepare(drawn_pack(name="again"))
        assert one is other  # equal contents
        state = FaceState(mouth=mouth(jaw=0.7))
        open_ = await renderer.render(one, Moment(state), deadline=0.0)
        shut = await renderer.render(one, Moment(FaceState()), deadline=0.0)
        assert np.array_equal(open_.i420, draw(PUPPET, state).i420)
        assert not np.array_equal(open_.i420, shut.i420)
    finally:
        renderer.close()
