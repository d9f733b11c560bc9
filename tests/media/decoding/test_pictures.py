from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from media.decoding.errors import MediaError, MediaProblem
from media.decoding.pictures import PICTURE_FORMATS, Picture, picture_info, read_picture
from tests.media.decoding.files import encoded, half_red, png_bomb, sound


def read(data: bytes, *, pixels: int = 1_000_000, max_side: int | None = None) -> Picture:
    return read_picture(io.BytesIO(data), pixels=pixels, max_side=max_side)


def problem(data: bytes, *, pixels: int = 1_000_000) -> MediaProblem:
    with pytest.raises(MediaError) as refused:
        read(data, pixels=pixels)
    return refused.value.code


@pytest.mark.parametrize("form", PICTURE_FORMATS)
def test_every_format_gives_rgb(form: str) -> None:
    picture = read(encoded(half_red(), form))
    assert picture.shape == (40, 60, 3)
    assert picture.dtype == np.uint8
    assert picture[20, 10, 0] > 220 > 60 > picture[20, 10, 2]
    assert picture[20, 50, 2] > 220


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_gives_rgb(mode: str) -> None:
    assert read(encoded(Image.new(mode, (7, 5)), "PNG")).shape == (5, 7, 3)


def test_cmyk_gives_rgb() -> None:
    picture = read(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    assert picture[8, 8, 0] > 200 > 60 > picture[8, 8, 1]


def test_sixteen_bits_keep_their_upper_eight() -> None:
    levels = np.array([[0, 0x4000], [0x8000, 0xFFFF]], np.uint16)
    picture = read(encoded(Image.fromarray(levels), "PNG"))
    assert picture[..., 0].tolist() == [[0, 0x40], [0x80, 0xFF]]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_turns_a_picture_upright(form: str) -> None:
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn clockwise to be upright
    data = encoded(half_red(), form, exif=exif)
    picture = read(data)
    assert picture.shape == (60, 40, 3)
    assert picture[10, 20, 0] > 220
    info = picture_info(io.BytesIO(data), pixels=10_000)
    assert (info.width, info.height) == (40, 60)


def test_damaged_exif_does_not_cost_the_picture() -> None:
    assert read(encoded(half_red(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")).shape == (40, 60, 3)


def test_transparency_shows_a_neutral_ground_and_never_hidden_colours() -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert np.ptp(read(encoded(image, "PNG"))[4, 4]) < 12
    half = read(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG"))
    assert 90 < half[4, 4, 0] < 130


def test_the_first_picture_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
    for form in ("GIF", "WEBP", "PNG"):
        picture = read(encoded(frames[0], form, save_all=True, append_images=frames[1:]))
        assert picture[4, 4, 0] > 220 > 40 > picture[4, 4, 2]


def test_a_picture_is_reduced_but_never_enlarged() -> None:
    assert read(encoded(half_red(), "PNG"), max_side=30).shape == (20, 30, 3)
    assert read(encoded(half_red(), "JPEG"), max_side=30).shape == (20, 30, 3)
    assert read(encoded(half_red(), "PNG"), max_side=300).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("width", "height"), [(1001, 1000), (20_000, 10_000), (2**31 - 1, 2**31 - 1), (60_000, 60_000)]
)
def test_the_header_alone_refuses_too_many_pixels(width: int, height: int) -> None:
    assert problem(png_bomb(width, height)) is MediaProblem.TOO_LARGE


def test_a_whole_picture_of_200_megapixels_is_refused() -> None:
    data = encoded(Image.new("1", (20_000, 10_000)), "PNG")
    with pytest.raises(MediaError, match="50 million pixels") as refused:
        read(data, pixels=50_000_000)
    assert refused.value.code is MediaProblem.TOO_LARGE


def test_a_picture_of_no_data_is_damaged() -> None:
    assert problem(png_bomb(100, 100)) is MediaProblem.DAMAGED


@pytest.mark.parametrize("form", PICTURE_FORMATS)
def test_half_a_picture_is_damaged(form: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), form)
    assert problem(data[: len(data) // 2]) is MediaProblem.DAMAGED


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"", MediaProblem.EMPTY, "empty"),
        (b"<html>", MediaProblem.WRONG_KIND, "This is a web page, not a JPEG"),
        (b"<svg xmlns='x'/>", MediaProblem.WRONG_KIND, "This is an SVG drawing"),
        (sound(seconds=0.1), MediaProblem.WRONG_KIND, "This is a WAV audio file"),
        (b"\x7fELF\x02\x01", MediaProblem.UNREADABLE, "This is not a JPEG, PNG, WebP, GIF, BMP or AVIF picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", MediaProblem.WRONG_KIND, "This is a text"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(data: bytes, code: MediaProblem, text: str) -> None:
    with pytest.raises(MediaError, match=text) as refused:
        read(data)
    assert refused.value.code is code


@settings(max_examples=150)
@given(st.sampled_from(PICTURE_FORMATS), st.integers(0, 400), st.binary(max_size=8), st.integers(0, 2000))
def test_damaged_pictures_are_refused_or_read_and_never_crash(form: str, where: int, junk: bytes, cut: int) -> None:
    data = bytearray(encoded(half_red(), form))
    data[where : where + len(junk)] = junk
    try:
        assert read(bytes(data[:cut] if cut > 50 else data)).shape[2] == 3
    except MediaError as refused:
        assert refused.message
