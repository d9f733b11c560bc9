"""Against the vectors of Twilio's own libraries (twilio-python, tests/unit/test_request_validator.py)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.twilio.signature import is_valid, sign

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_the_documented_request_has_the_documented_signature() -> None:
    assert sign(TOKEN, URL, FORM) == SIGNATURE
    assert is_valid(TOKEN, URL, SIGNATURE, FORM)


def test_a_parameter_given_twice_counts_with_each_of_its_values() -> None:
    form = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
    assert sign(TOKEN, URL, form) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (URL.replace(".com", ".com:1234"), SIGNATURE),
        (URL.replace(".com", ".com:1234").replace("https", "http"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (URL.replace("https", "http"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    ],
    ids=["https without its port", "http with its port", "https with 443", "http with 80"],
)
def test_the_port_may_be_written_or_left_out(url: str, signature: str) -> None:
    assert is_valid(TOKEN, url, signature, FORM)


@pytest.mark.parametrize("signed", ["wss://a.example/stream", "wss://a.example/stream/", "wss://a.example:443/stream"])
def test_a_websocket_is_signed_over_its_url_alone(signed: str) -> None:
    assert is_valid(TOKEN, "wss://a.example/stream", sign(TOKEN, signed))


@pytest.mark.parametrize(
    "signed",
    ["https://a.example/stream", "wss://b.example/stream", "wss://a.example/other", "wss://a.example/stream?x=1"],
)
def test_the_signature_of_another_url_is_refused(signed: str) -> None:
    assert not is_valid(TOKEN, "wss://a.example/stream", sign(TOKEN, signed))


@pytest.mark.parametrize("signature", ["", "x", SIGNATURE[:-1], SIGNATURE + "A", "ü", "\ud800"])
def test_a_wrong_signature_is_refused(signature: str) -> None:
    assert not is_valid(TOKEN, URL, signature, FORM)


def test_no_token_means_no_valid_signature() -> None:
    assert not is_valid("", URL, sign("", URL, FORM), FORM)


def test_a_changed_parameter_is_refused() -> None:
    assert not is_valid(TOKEN, URL, SIGNATURE, [*FORM, ("Extra", "1")])
    assert not is_valid(TOKEN, URL, SIGNATURE, FORM[1:])


@given(st.data())
def test_the_order_of_parameters_does_not_matter(data: st.DataObject) -> None:
    form = data.draw(st.lists(st.tuples(st.text(), st.text()), max_size=8))
    assert is_valid(TOKEN, URL, sign(TOKEN, URL, form), data.draw(st.permutations(form)))
