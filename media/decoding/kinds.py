"""What bytes are, told by their beginning and never by a name or a header that came with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HEAD_BYTES = 4096
"""`sniff` looks at no more than this."""

MediaKind = Literal["image", "audio", "video", "other"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A format: its kind, MIME type, a name for people, and the decoder for it (Pillow's format, FFmpeg's demuxer).

    `decoder` is empty where there is none: such files are recognised only to say what they are.
    """

    kind: MediaKind
    mime: str
    title: str
    decoder: str = ""

    @property
    def phrase(self) -> str:
        """The title with its article: an MP4 file."""
        return f"{'an' if self.title.startswith(_SPOKEN_WITH_A_VOWEL) else 'a'} {self.title}"


_SPOKEN_WITH_A_VOWEL = ("AV", "MP", "M4", "AA", "AI", "Og", "SV", "XM")

JPEG = Kind("image", "image/jpeg", "JPEG picture", "JPEG")
PNG = Kind("image", "image/png", "PNG picture", "PNG")
WEBP = Kind("image", "image/webp", "WebP picture", "WEBP")
GIF = Kind("image", "image/gif", "GIF picture", "GIF")
BMP = Kind("image", "image/bmp", "BMP picture", "BMP")
AVIF = Kind("image", "image/avif", "AVIF picture", "AVIF")
MP4 = Kind("video", "video/mp4", "MP4 file", "mov")
QUICKTIME = Kind("video", "video/quicktime", "QuickTime video", "mov")
M4A = Kind("audio", "audio/mp4", "M4A audio file", "mov")
WEBM = Kind("video", "video/webm", "WebM file", "matroska")
MATROSKA = Kind("video", "video/x-matroska", "Matroska video", "matroska")
AVI = Kind("video", "video/x-msvideo", "AVI video", "avi")
WAV = Kind("audio", "audio/wav", "WAV audio file", "wav")
MP3 = Kind("audio", "audio/mpeg", "MP3 audio file", "mp3")
AAC = Kind("audio", "audio/aac", "AAC audio file", "aac")
FLAC = Kind("audio", "audio/flac", "FLAC audio file", "flac")
OGG = Kind("audio", "audio/ogg", "Ogg file", "ogg")
AIFF = Kind("audio", "audio/aiff", "AIFF audio file", "aiff")

HEIC = Kind("image", "image/heic", "HEIC picture")
TIFF = Kind("image", "image/tiff", "TIFF picture")
SVG = Kind("other", "image/svg+xml", "SVG drawing")
PLAYLIST = Kind("other", "application/vnd.apple.mpegurl", "playlist")
HTML = Kind("other", "text/html", "web page")
XML = Kind("other", "application/xml", "XML document")
PDF = Kind("other", "application/pdf", "PDF document")
ZIP = Kind("other", "application/zip", "ZIP archive")
GZIP = Kind("other", "application/gzip", "compressed file")
JSON = Kind("other", "application/json", "JSON document")
TEXT = Kind("other", "text/plain", "text")
BINARY = Kind("other", "application/octet-stream", "file of an unknown kind")

DECODED = (
    JPEG, PNG, WEBP, GIF, BMP, AVIF, MP4, QUICKTIME, M4A, WEBM, MATROSKA, AVI, WAV, MP3, AAC, FLAC, OGG, AIFF,
)  # fmt: skip
"""Every format that is decoded."""

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"ID3", MP3),
    (b"fLaC", FLAC),
    (b"OggS", OGG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"%PDF-", PDF),
    (b"PK\x03\x04", ZIP),
    (b"\x1f\x8b", GZIP),
)
_CHUNKS = {b"WEBP": WEBP, b"AVI ": AVI, b"WAVE": WAV, b"AIFF": AIFF, b"AIFC": AIFF}
_BRANDS: tuple[tuple[bytes, Kind], ...] = (
    (b"avif", AVIF),
    (b"avis", AVIF),
    (b"heic", HEIC),
    (b"heix", HEIC),
    (b"mif1", HEIC),
    (b"msf1", HEIC),
    (b"qt  ", QUICKTIME),
    (b"M4A ", M4A),
    (b"M4B ", M4A),
)
_MOV_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip")  # QuickTime files from before ftyp
_SCRIPTS = (b"#extm3u", b"ffconcat", b"[playlist]", b"#ffconcat")
_BITS_PER_PIXEL = (1, 4, 8, 16, 24, 32)


def sniff(data: bytes) -> Kind:
    """The kind of file that begins with `data` (its first 4096 bytes are enough); `BINARY` if it is none we know."""
    head = data[:HEAD_BYTES]
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    return _chunked(head) or _mpeg_audio(head) or _text(head)


def _chunked(head: bytes) -> Kind | None:
    if head[:4] in (b"RIFF", b"RF64", b"FORM"):
        return _CHUNKS.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _brand(head)
    if head[4:8] in _MOV_BOXES:
        return QUICKTIME
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM if b"webm" in head[:64] else MATROSKA
    bitmap = head[:2] == b"BM" and int.from_bytes(head[28:30], "little") in _BITS_PER_PIXEL
    return BMP if bitmap else None


def _brand(head: bytes) -> Kind:
    length = min(max(int.from_bytes(head[:4], "big"), 12), 256)
    brands = [head[8:12], *(head[k : k + 4] for k in range(16, length, 4))]
    for brand, kind in _BRANDS:  # AVIF files may lead with a brand that HEIC has too
        if brand in brands and (kind is AVIF or brand == brands[0]):
            return kind
    return MP4


def _mpeg_audio(head: bytes) -> Kind | None:
    """A frame of MPEG audio: eleven set bits, then fields of which some values are reserved (ISO 11172-3, 13818-7)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    if layer == 0:
        return AAC if head[1] & 0xF0 == 0xF0 and head[2] >> 2 & 0xF < 13 else None
    reserved = head[1] >> 3 & 3 == 1 or head[2] >> 4 == 15 or head[2] >> 2 & 3 == 3
    return None if reserved else MP3


def _text(head: bytes) -> Kind:
    try:
        text = head.removeprefix(b"\xef\xbb\xbf").decode(
            "utf-8", errors="strict" if len(head) < HEAD_BYTES else "ignore"
        )
    except UnicodeDecodeError:
        return BINARY
    if not text.strip() or any(ord(sign) < 32 and sign not in "\t\n\r\f" for sign in text):
        return BINARY
    begin = text.lstrip().lower()
    if begin.encode().startswith(_SCRIPTS):
        return PLAYLIST
    if begin.startswith(("<!doctype html", "<html", "<head", "<body")):
        return HTML
    if begin.startswith("<"):
        return SVG if "<svg" in begin else HTML if "<html" in begin else XML
    return JSON if begin.startswith(("{", "[")) else TEXT
