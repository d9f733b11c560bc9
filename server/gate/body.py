"""Request bodies: strict JSON (RFC 8259), refused before any of it is looked at by a model.

Python's parser takes more than JSON is (NaN, names twice, halves of surrogate pairs) and lets through what later parts
cannot take (NUL in texts, numbers beyond any field, nesting that exhausts the stack). All of it is refused here, once.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from server.gate.errors import Invalid, UnsupportedMedia

MAX_DEPTH: Final = 32
"""Of nested arrays and objects; no request needs a tenth of it."""
MAX_DIGITS: Final = 40
MAX_WHOLE: Final = 2**53
"""Up to here every whole number has a floating-point number of its own."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_ODD_ESCAPE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def check_json_type(content_type: str) -> None:
    """Raise `UnsupportedMedia` unless this Content-Type is JSON."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMedia("The body must be JSON: send Content-Type: application/json")
    _check_charset(parameters, "JSON")


def parse_text(body: bytes, content_type: str, takes: str) -> str:
    """A body that is text of the media type `takes`, in UTF-8. Raises `UnsupportedMedia`, `Invalid`."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != takes:
        raise UnsupportedMedia(f"Send the body with Content-Type: {takes}")
    _check_charset(parameters, "text")
    text = _decoded(body)
    check_text(text, "body")
    return text


def parse_json(body: bytes) -> Any:
    """The body's value. Raises `Invalid` that says what is wrong with it."""
    if not body.strip():
        raise Invalid("The body is empty: a JSON object is expected")
    text = _decoded(body)
    _check_depth(body)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise Invalid(_TOO_DEEP) from None
    if _ODD_ESCAPE.search(body) or b"\x00" in body:
        _check_texts(value)
    return value


def check_text(text: str, field: str) -> None:
    """Raise `Invalid` for what is no text: half of a surrogate pair, or NUL."""
    if "\x00" in text:
        raise Invalid("must not contain the character U+0000", field=field)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Invalid("is not valid Unicode: it has half of a surrogate pair", field=field)


def _check_charset(parameters: str, what: str) -> None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _CHARSETS:
            raise UnsupportedMedia(f"The body must be {what} in UTF-8")


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"The body is not UTF-8 (byte {error.start})") from None


_TOO_DEEP = f"The body is nested more than {MAX_DEPTH} levels deep"


def _check_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise Invalid(_TOO_DEEP)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid("is given more than once", field=_shown(twice))
    return made


def _constant(name: str) -> NoReturn:
    raise Invalid(f"The body is not JSON: {name} is not a number there")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Invalid(f"A number in the body has more than {MAX_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float | int:
    """JSON has one kind of number: 4.0 is as whole as 4."""
    number = float(digits)
    if not math.isfinite(number):
        raise Invalid("A number in the body is too large")
    return int(number) if number.is_integer() and abs(number) <= MAX_WHOLE else number


def _check_texts(value: Any, field: str = "body") -> None:
    if isinstance(value, str):
        check_text(value, field)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item, field)
    elif isinstance(value, dict):
        for name, item in value.items():
            check_text(name, field)
            _check_texts(item, name)


def _shown(name: str) -> str:
    """A client's own text in an error, at most so long and without what would break a log or a terminal."""
    printable = "".join(character if character.isprintable() else "?" for character in name[:60])
    return printable or "(empty name)"
