"""The key and the signature were made with OpenSSL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.telnyx.signature import TOLERANCE, is_valid

KEY = "RMwWjlBl9/tCnZmDgeYkFTsTR9FPgOaYPNJ5H/YTDDM="
SIGNATURE = "nUZlUfl4mMHkcz9ZticDrJ2a78wRNF9zGwYZ10aAfviPj90JfVjuEqlSVroag8gKLyhZRkvap3PlZWK9M2PcDg=="
TIME = 1_700_000_000
BODY = b"CallSid=v3%3Aabc&From=%2B14155550123"


@pytest.mark.parametrize("age", [0, TOLERANCE, -TOLERANCE])
def test_what_the_carrier_signed_is_valid_for_a_while(age: int) -> None:
    assert is_valid(KEY, str(TIME), SIGNATURE, BODY, TIME + age)


@pytest.mark.parametrize("age", [TOLERANCE + 1, -TOLERANCE - 1, 10**9])
def test_what_is_old_or_of_the_future_is_a_replay(age: int) -> None:
    assert not is_valid(KEY, str(TIME), SIGNATURE, BODY, TIME + age)


def test_what_was_changed_is_not_valid() -> None:
    assert not is_valid(KEY, str(TIME + 1), SIGNATURE, BODY, TIME)
    assert not is_valid(KEY, str(TIME), SIGNATURE, BODY + b"&To=x", TIME)
    assert not is_valid(KEY, str(TIME), SIGNATURE[:-8] + "AAAAAA==", BODY, TIME)
    assert not is_valid("A" * 43 + "=", str(TIME), SIGNATURE, BODY, TIME)


@given(st.text(), st.text(), st.text(), st.binary())
def test_no_header_makes_it_fail(key: str, timestamp: str, signature: str, body: bytes) -> None:
    assert not is_valid(key, str(TIME), signature, body, TIME)
    assert not is_valid(KEY, timestamp, signature, body, TIME)
