"""The signatures were computed with `signature_v3.py` of the `plivo` library 4.63.0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.plivo.signature import is_valid, sign

TOKEN = "MjQ3ODE3"
VOICE = "https://voice.example/telephony/voice"
CALL = {
    "CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb",
    "From": "14155550123",
    "To": "442079460018",
    "Direction": "inbound",
    "Empty": "",
}
VECTORS = [
    (VOICE, "12345678901234567890", {}, "h6Bn5LPuApdJwfLFCDTkD+B4xjl2EytxVP+CdNRjmGA="),
    (VOICE, "12345678901234567890", CALL, "t5o5iu+8J8P8wCKKJz+AFZNzNEe3bFJeh/uDl0/znvg="),
    (VOICE + "?b=2&a=1", "05429567804466091622", {}, "rg6qjeEplFgtz1vYTtR/223YT6myEIL0rypYDCpLu+Q="),
    (
        "https://voice.example:8443/telephony/transferred/x?to=Anna%20Maria&agent=demo",
        "05429567804466091622",
        {"DialStatus": "busy", "CallUUID": "x", "Name": "Zoë"},
        "g93erzjcaZrFnOZ351YrmSwf4PV5rXmvy96UdTii6ds=",
    ),
]


@pytest.mark.parametrize(("url", "nonce", "form", "signature"), VECTORS)
def test_what_the_carriers_library_signs_is_valid(url: str, nonce: str, form: dict[str, str], signature: str) -> None:
    assert sign(TOKEN, url, nonce, form.items()) == signature
    assert is_valid(TOKEN, url, nonce, signature, form.items())
    assert is_valid(TOKEN, url, nonce, f"AAAA, {signature}", form.items()), "another token's signature comes first"


def test_what_was_changed_is_not_valid() -> None:
    url, nonce, form, signature = VECTORS[1]
    assert not is_valid(TOKEN, url, nonce + "0", signature, form.items())
    assert not is_valid(TOKEN, url + "?a=1", nonce, signature, form.items())
    assert not is_valid(TOKEN, url, nonce, signature, {**form, "From": "14155550124"}.items())
    assert not is_valid("other", url, nonce, signature, form.items())
    assert not is_valid("", url, nonce, sign("", url, nonce, form.items()), form.items())
    assert not is_valid(TOKEN, url, "", sign(TOKEN, url, "", form.items()), form.items())


@given(st.text(), st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_no_header_makes_it_fail(signature: str, nonce: str, form: list[tuple[str, str]]) -> None:
    assert not is_valid(TOKEN, VOICE, nonce, signature, form)
