"""What of a picture is shown: whole, cut around the face, or before a background."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.avatar.enrol import Placement
from media.studio.errors import OptionInvalid
from media.studio.framing import RESOLUTIONS, Framing, Portrait, view_of
from media.studio.scene import snapped
from tests.media.avatar.faces import drawn_pack
from tests.media.studio.portraits import placed


def test_a_pack_alone_is_a_picture_of_its_own() -> None:
    portrait = Portrait.of_pack(drawn_pack())
    view = view_of(portrait, Framing(512))
    assert (view.width, view.height, view.left, view.top, view.scale) == (512, 512, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("resolution", "aspect", "size"),
    [
        ("480p", 16 / 9, (854, 480)),
        ("720p", 16 / 9, (1280, 720)),
        ("720p", 9 / 16, (720, 1280)),
        ("1080p", 16 / 9, (1920, 1080)),
        ("1080p", 1.0, (1080, 1080)),
        ("720p", None, (1080, 720)),
    ],
)
def test_a_resolution_is_the_shorter_side(resolution: str, aspect: float | None, size: tuple[int, int]) -> None:
    view = view_of(placed(900, 600), Framing.of_resolution(resolution, aspect=aspect))
    assert (view.width, view.height) == size


def test_a_picture_of_the_frames_aspect_is_shown_whole() -> None:
    view = view_of(placed(960, 540), Framing.of_resolution("720p", aspect=16 / 9))
    assert (view.left, view.top) == (0.0, 0.0)
    assert view.scale == pytest.approx(1280 / 960)


def test_a_wide_picture_is_cut_at_the_sides_for_an_upright_frame_and_the_face_stays_in_the_middle() -> None:
    portrait = placed(1600, 900, left=900.0, top=100.0, side=600.0)
    view = view_of(portrait, Framing(720, aspect=9 / 16))
    assert view.height / view.scale == pytest.approx(900, abs=1)
    face = portrait.landmarks[:468].mean(0)
    assert view.left + view.width / view.scale / 2 == pytest.approx(face[0], abs=5)


def test_where_cutting_would_take_the_head_the_whole_picture_stands_before_a_background() -> None:
    view = view_of(placed(500, 900, left=0.0, top=100.0, side=500.0), Framing(720, aspect=16 / 9))
    assert view.left < 0
    assert view.top == pytest.approx(0.0)
    assert view.height / view.scale == pytest.approx(900)


def test_a_crop_holds_the_face_with_what_was_asked_for_around_it() -> None:
    portrait = placed(2000, 1500, left=600.0, top=300.0, side=800.0)
    low, high = portrait.landmarks[:468].min(0), portrait.landmarks[:468].max(0)
    for ratio in (0.0, 0.25, 0.5):
        view = view_of(portrait, Framing(400, crop=True, expand_ratio=ratio))
        assert (view.width, view.height) == (400, 400)
        side = view.width / view.scale
        assert side == pytest.approx(float((high - low).max()) * (1 + 2 * ratio), rel=1e-3)
        assert view.left + side / 2 == pytest.approx(float(low[0] + high[0]) / 2, abs=1)


def test_a_crop_never_leaves_the_picture() -> None:
    view = view_of(placed(700, 600, left=50.0, top=0.0, side=600.0), Framing(400, crop=True, expand_ratio=3.0))
    assert view.width / view.scale == pytest.approx(600)
    assert 0 <= view.left <= 100
    assert view.top == 0


@pytest.mark.parametrize(
    ("field", "options"),
    [("output_size", {"size": 20}), ("output_size", {"size": 4000}), ("aspect", {"aspect": 9.0}),
     ("expand_ratio", {"expand_ratio": -0.1})],
)  # fmt: skip
def test_an_option_out_of_range_is_named(field: str, options: dict[str, float]) -> None:
    with pytest.raises(OptionInvalid, match=f"^{field}: ") as raised:
        Framing(**options)  # type: ignore[arg-type]
    assert raised.value.field == field


def test_a_resolution_that_is_not_offered_is_refused_with_those_that_are() -> None:
    with pytest.raises(OptionInvalid, match="480p, 720p, 1080p"):
        Framing.of_resolution("4k")
    assert set(RESOLUTIONS) == {"480p", "720p", "1080p"}


@given(
    st.integers(300, 2048), st.integers(300, 2048), st.floats(0, 1), st.floats(0, 1), st.floats(0.3, 1),
    st.sampled_from([None, 1.0, 16 / 9, 9 / 16, 4 / 5]), st.integers(128, 1080), st.booleans(), st.floats(0, 3),
)  # fmt: skip
def test_any_framing_of_any_portrait_shows_the_face_in_an_even_frame(
    width: int, height: int, x: float, y: float, share: float, aspect: float | None, size: int, crop: bool, ratio: float
) -> None:
    side = share * min(width, height)
    portrait = placed(width, height, left=x * (width - side), top=y * (height - side), side=side)
    view = view_of(portrait, Framing(size, aspect=aspect, crop=crop, expand_ratio=ratio))
    assert view.width % 2 == view.height % 2 == 0
    assert abs(min(view.width, view.height) - size) <= 1
    low, high = portrait.landmarks[:468].min(0), portrait.landmarks[:468].max(0)
    seen = np.array([view.left, view.top]), np.array([view.width, view.height]) / view.scale
    if not crop:
        assert (seen[0] <= low + 1).all()
        assert (seen[0] + seen[1] >= high - 1).all()
    moved, left, top, square = snapped(view, portrait.place)
    assert left % 2 == top % 2 == square % 2 == 0
    assert moved.scale >= view.scale * (1 - 1e-6)
    for axis, length in enumerate((view.width, view.height)):
        before, after = (view.left, view.top)[axis], (moved.left, moved.top)[axis]
        assert before - 1.01 / moved.scale <= after
        assert after + length / moved.scale <= before + length / view.scale + 1.01 / moved.scale


def test_a_portraits_landmarks_lie_in_the_picture() -> None:
    pack = drawn_pack()
    portrait = Portrait(np.zeros((600, 800, 3), np.uint8), pack, Placement(100.0, 50.0, 256.0))
    assert portrait.landmarks[0] == pytest.approx(pack.landmarks[0, :2] / 2 + (100 - 0.25, 50 - 0.25), abs=1e-3)
