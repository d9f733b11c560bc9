"""The server's secret and its links."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.signing import FILE, LinkSigner, SigningKey

SIGNER = LinkSigner(b"k" * 32)


def parameters(query: str) -> tuple[str, str]:
    parts = dict(part.split("=") for part in query.split("&"))
    return parts["expires"], parts["signature"]


def test_the_key_is_made_once_and_is_for_us_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: SigningKey.load(folder), range(16)))
    assert len({key.secret for key in keys}) == 1
    assert SigningKey.load(folder) == keys[0]
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert keys[0].secret.hex() not in repr(keys[0])


def test_each_use_has_a_key_of_its_own(tmp_path: Path) -> None:
    key = SigningKey.load(tmp_path)
    assert key.derive("page") != key.derive("links")
    assert key.derive("page") == SigningKey.load(tmp_path).derive("page")


def test_a_damaged_key_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"short")
    with pytest.raises(OSError, match="remove it"):
        SigningKey.load(tmp_path)


def test_a_link_opens_what_it_was_made_for_until_it_expires() -> None:
    expires, signature = parameters(SIGNER.sign("a/portrait.jpg", 1000.0, 60))
    assert SIGNER.opens("a/portrait.jpg", 1059.0, expires, signature)
    assert not SIGNER.opens("a/portrait.jpg", 1060.0, expires, signature)
    assert not SIGNER.opens("b/portrait.jpg", 1000.0, expires, signature)
    assert not LinkSigner(b"o" * 32).opens("a/portrait.jpg", 1000.0, expires, signature)


@given(st.text(max_size=20), st.text(max_size=70))
def test_no_made_up_parameters_open_anything(expires: str, signature: str) -> None:
    assert not SIGNER.opens("a", 0.0, expires, signature)


def test_a_link_cannot_be_prolonged() -> None:
    expires, signature = parameters(SIGNER.sign("a", 1000.0, 60))
    assert not SIGNER.opens("a", 1000.0, str(int(expires) + 1), signature)
