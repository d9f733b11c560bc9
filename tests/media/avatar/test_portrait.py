from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from media import decoding
from media.avatar import portrait
from media.avatar.errors import PortraitRefused, Refusal
from media.avatar.portrait import decode_picture, decode_upload, is_video, video_frames
from tests.media.decoding.files import encoded, half_red, png_bomb, video


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_decoded_as_rgb(form: str) -> None:
    picture = decode_picture(encoded(half_red(), form, quality=95))
    assert picture.shape == (40, 60, 3)
    assert picture[20, 10, 0] > 230 > 40 > picture[20, 10, 2]


def test_a_picture_is_turned_upright_as_its_exif_says() -> None:
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn clockwise to be upright
    picture = decode_picture(encoded(half_red(), "JPEG", exif=exif, quality=95))
    assert picture.shape == (60, 40, 3)
    assert picture[10, 20, 0] > 230


def test_transparency_is_laid_on_a_light_ground() -> None:
    picture = decode_picture(encoded(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "PNG"))
    assert picture.min() > 200


def test_large_pictures_are_reduced() -> None:
    assert max(decode_picture(encoded(Image.new("L", (5000, 1000)), "PNG")).shape) == portrait.LONGEST_SIDE


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    data = encoded(Image.new("1", (60_000, 60_000)), "PNG")
    with pytest.raises(PortraitRefused, match="million") as refused:
        decode_picture(data)
    assert refused.value.code is Refusal.TOO_LARGE


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused(form: str) -> None:
    with pytest.raises(PortraitRefused) as refused:
        decode_picture(encoded(half_red(), form))
    assert refused.value.code is Refusal.UNREADABLE


@given(st.integers(0, 700), st.binary(max_size=40))
def test_damaged_pictures_are_refused_and_never_crash(cut: int, junk: bytes) -> None:
    data = encoded(half_red(), "PNG")
    try:
        decode_picture(data[:cut] + junk)
    except PortraitRefused as refused:
        assert refused.code is Refusal.UNREADABLE


@pytest.mark.parametrize("form", ["mp4", "webm"])
def test_a_video_gives_four_frames_a_second(form: str) -> None:
    data = video(form=form)
    assert is_video(data)
    frames = list(video_frames(data))
    assert len(frames) == 8
    assert frames[0].mean() < frames[-1].mean()
    assert frames[0].shape == (48, 64, 3)


@example(1629)  # a name in the metadata that is no text
@given(st.integers(20, 3000))
def test_damaged_videos_are_refused_and_never_crash(cut: int) -> None:
    data = bytearray(video(frames=12))
    data[cut % len(data)] ^= 0xFF
    try:
        list(video_frames(bytes(data[: max(cut, 400)])))
    except PortraitRefused as refused:
        assert refused.code in {Refusal.UNREADABLE, Refusal.TOO_LARGE}


def test_a_playlist_is_no_video() -> None:
    assert not is_video(b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/x.ts\n")


async def test_uploads_are_decoded_in_a_process_of_their_own_with_the_same_result() -> None:
    data = encoded(half_red(), "PNG")
    [picture] = await decode_upload(data)
    assert np.array_equal(picture, decode_picture(data))
    frames = await decode_upload(video())
    assert len(frames) == 4
    decoding.close()


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"<html>", Refusal.UNREADABLE, "This is a web page. Please send a JPEG"),
        (encoded(half_red(), "GIF"), Refusal.UNREADABLE, "This is a GIF picture. Please send"),
        (png_bomb(20_000, 10_000), Refusal.TOO_LARGE, "50 million"),
        (video()[:900], Refusal.UNREADABLE, "damaged"),
    ],
)
async def test_uploads_that_are_no_portraits_are_refused_in_words(data: bytes, code: Refusal, text: str) -> None:
    with pytest.raises(PortraitRefused, match=text) as refused:
        await decode_upload(data)
    assert refused.value.code is code
    decoding.close()
