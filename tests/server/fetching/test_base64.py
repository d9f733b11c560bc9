from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.fetching import FetchError, FetchProblem, decode_base64


@given(st.binary(min_size=1, max_size=200), st.booleans(), st.booleans(), st.booleans())
def test_any_data_survive_in_any_alphabet_with_and_without_padding(
    data: bytes, url: bool, pad: bool, wrap: bool
) -> None:
    text = (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode()
    text = text if pad else text.rstrip("=")
    text = "\r\n".join(text[k : k + 20] for k in range(0, len(text), 20)) if wrap else text
    assert decode_base64(text, 1000) == data
    assert decode_base64("data:image/png;base64," + text, 1000) == data
    assert decode_base64("DATA:text/plain;charset=utf-8; base64," + text, 1000) == data


def test_the_limit_is_exact_and_checked_before_decoding() -> None:
    assert len(decode_base64(base64.b64encode(bytes(100)).decode(), 100)) == 100
    for text in (base64.b64encode(bytes(101)).decode(), "A" * 10_000_000, " " * 10_000_000):
        with pytest.raises(FetchError) as refused:
            decode_base64(text, 100)
        assert refused.value.code is FetchProblem.TOO_LARGE


@pytest.mark.parametrize(
    "text",
    ["", "=", "A", "AAAAA", "%41%41", "data:", "data:image/png;base64", "data:image/png,AAAA", "data:,x", "AA=A",
     "AA==AA", "data:;base64,", "äöü", "AAAA\0", "https://example.com/a.png", "data:" + "x" * 300 + ";base64,AAAA"],
)  # fmt: skip
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(FetchError) as refused:
        decode_base64(text, 1000)
    assert refused.value.code is FetchProblem.INVALID_DATA
