from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from media.decoding import kinds
from media.decoding.kinds import Kind, sniff
from tests.media.decoding.files import SOUND_CODERS, encoded, half_red, sound, video


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("JPEG", kinds.JPEG), ("PNG", kinds.PNG), ("WEBP", kinds.WEBP), ("GIF", kinds.GIF), ("BMP", kinds.BMP),
        ("AVIF", kinds.AVIF), ("TIFF", kinds.TIFF), ("PDF", kinds.PDF),
    ],
)  # fmt: skip
def test_pictures_are_told_by_their_beginning(form: str, kind: Kind) -> None:
    assert sniff(encoded(half_red(), form)) is kind


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bitmaps_of_every_depth_are_told(mode: str) -> None:
    assert sniff(encoded(Image.new(mode, (5, 5)), "BMP")) is kinds.BMP


@pytest.mark.parametrize("form", sorted(SOUND_CODERS))
def test_sounds_go_to_the_decoder_of_their_container(form: str) -> None:
    wanted = {"mp4": "mov", "webm": "matroska", "adts": "aac"}.get(form, form)
    assert sniff(sound(form, seconds=0.3)).decoder == wanted


def test_videos_go_to_the_decoder_of_their_container() -> None:
    assert sniff(video(frames=2)) is kinds.MP4
    assert sniff(video(frames=2, form="webm")) is kinds.WEBM
    assert sniff(video(frames=2, form="matroska")) is kinds.MATROSKA


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/x.ts\n", kinds.PLAYLIST),
        (b"\xef\xbb\xbf#EXTM3U\n", kinds.PLAYLIST),
        (b"  \n#extm3u\n", kinds.PLAYLIST),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", kinds.PLAYLIST),
        (b"[playlist]\nFile1=/etc/passwd", kinds.PLAYLIST),
        (b"<!DOCTYPE html><html>", kinds.HTML),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", kinds.SVG),
        (b"<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>", kinds.XML),
        (b'{"error": "not found"}', kinds.JSON),
        (b"hello", kinds.TEXT),
        (b"%PDF-1.7", kinds.PDF),
        (b"PK\x03\x04", kinds.ZIP),
        (b"\x1f\x8b\x08", kinds.GZIP),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", kinds.HEIC),
        (b"\x7fELF\x02", kinds.BINARY),
        (b"", kinds.BINARY),
        (b"BMail from a friend, which is plain text and no bitmap", kinds.TEXT),
    ],
)
def test_what_is_not_decoded_is_named(data: bytes, kind: Kind) -> None:
    assert sniff(data) is kind
    assert not kind.decoder


@given(st.binary(max_size=64) | st.text(max_size=40).map(str.encode))
def test_anything_is_some_kind_and_a_playlist_is_never_decoded(data: bytes) -> None:
    assert isinstance(sniff(data), Kind)
    assert not sniff(b"#EXTM3U\n" + data).decoder


@pytest.mark.parametrize("kind", kinds.DECODED)
def test_phrases_have_their_article(kind: Kind) -> None:
    assert kind.phrase.split(" ", 1) == [
        "an" if kind.title[0] in "AMO" and kind.title != "Matroska video" else "a",
        kind.title,
    ]
