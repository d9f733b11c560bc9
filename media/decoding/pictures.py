"""Pictures to RGB, in the process that calls: for the helper, and for files that the user of this machine named."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import AvifImagePlugin, Image, ImageOps, UnidentifiedImageError

from media.decoding.errors import MediaError, MediaProblem
from media.decoding.info import MediaInfo
from media.decoding.kinds import BINARY, HEAD_BYTES, Kind, sniff

Picture: TypeAlias = npt.NDArray[np.uint8]
"""RGB, shape [height, width, 3]."""

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
BACKGROUND = (222, 226, 232)
"""What shows through transparent pictures."""

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I")
_QUARTER_TURNS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_ORIENTATION = 0x0112

_PILLOWS_WORDS_FOR_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, ArithmeticError, RuntimeError,
    struct.error,
)  # fmt: skip

AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def read_picture(
    source: BinaryIO, *, pixels: int, max_side: int | None = None, formats: Sequence[str] = PICTURE_FORMATS
) -> Picture:
    """The (first) picture of a file as RGB, upright as its EXIF says, transparency laid on a light grey.

    With `max_side` it is reduced so that neither side is longer. More than `pixels` (width times height, from the
    header) are refused before anything is decoded. Raises `MediaError`.
    """
    with _opened(source, pixels, formats) as image:
        if max_side is not None:
            image.draft("RGB", (max_side, max_side))
        image.load()
        whole = _opaque(_eight_bits(_upright(image)))
        if max_side is not None:
            whole.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
        return np.array(whole)


def picture_info(source: BinaryIO, *, pixels: int) -> MediaInfo:
    """Format and upright size from a picture's header. Raises `MediaError`."""
    with _opened(source, pixels, PICTURE_FORMATS) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION) in _QUARTER_TURNS:
            width, height = height, width
        mime = Image.MIME.get(image.format or "", "image/*")
        return MediaInfo("image", mime, (image.format or "").lower(), width=width, height=height)


def read_kind(source: BinaryIO) -> Kind:
    """What the file is; leaves the position at its beginning. Raises `MediaError` (empty)."""
    head = source.read(HEAD_BYTES)
    source.seek(0)
    if not head:
        raise MediaError(MediaProblem.EMPTY, "The file is empty.")
    return sniff(head)


@contextmanager
def _opened(source: BinaryIO, pixels: int, formats: Sequence[str]) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of sizes: our own limit is stricter; of damage: it is an error or it shows
            with Image.open(source, formats=tuple(formats)) as image:
                if image.width * image.height > pixels:
                    raise MediaError(
                        MediaProblem.TOO_LARGE,
                        f"The picture has {image.width}×{image.height} pixels, more than the "
                        f"{pixels / 1e6:g} million that are accepted. Please send a smaller one.",
                    )
                yield image
    except Image.DecompressionBombError as error:
        raise MediaError(
            MediaProblem.TOO_LARGE,
            f"The picture has far more than the {pixels / 1e6:g} million pixels that are accepted. "
            "Please send a smaller one.",
        ) from error
    except UnidentifiedImageError as error:
        source.seek(0)
        raise _not_a_picture(read_kind(source), formats) from error
    except MemoryError as error:
        raise MediaError(MediaProblem.TOO_COSTLY, "The picture needs more memory than is allowed.") from error
    except _PILLOWS_WORDS_FOR_DAMAGE as error:
        raise MediaError(MediaProblem.DAMAGED, "The picture is damaged or incomplete and cannot be read.") from error


def _not_a_picture(kind: Kind, formats: Sequence[str]) -> MediaError:
    *others, last = (name if name != "WEBP" else "WebP" for name in formats)
    wanted = f"a {', '.join(others)} or {last} picture"
    if kind.decoder in formats:
        return MediaError(MediaProblem.DAMAGED, "The picture is damaged or incomplete and cannot be read.")
    if kind is BINARY:
        return MediaError(MediaProblem.UNREADABLE, f"This is not {wanted}.")
    return MediaError(MediaProblem.WRONG_KIND, f"This is {kind.phrase}, not {wanted}.")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (
        SyntaxError,
        ValueError,
        KeyError,
        TypeError,
        OSError,
        IndexError,
    ):  # damaged EXIF must not cost the picture
        return image


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode not in _SIXTEEN_BITS:
        return image
    # Pillow's own conversion clips at 255 where the upper eight bits are meant
    levels: npt.NDArray[Any] = np.asarray(image).astype(np.int64) >> 8
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGB", layer.size, BACKGROUND)
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return image.convert("RGB")
