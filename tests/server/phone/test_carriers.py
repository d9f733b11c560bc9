import pytest

from server.phone.carriers import BadCall, CarrierRequest, dialect_of
from telephony.media_stream import Start


def test_twilio_tells_of_a_call() -> None:
    fields = {
        "CallSid": "CA1",
        "From": "+15005550006",
        "To": "+15005550001",
        "CallStatus": "completed",
        "Direction": "outbound-api",
        "CallDuration": "61",
        "DialCallStatus": "busy",
    }
    asked = dialect_of("twilio").read(fields)
    assert asked == CarrierRequest("CA1", "+15005550006", "+15005550001", "completed", False, 61, "busy")


def test_telnyx_tells_of_a_call_with_ids_of_its_own() -> None:
    asked = dialect_of("telnyx").read({"CallSid": "v3:KBnLO0ZK3DhKM5s7bE9VluaSmKsOchKht_fUYvxcp8ysbmzCCtpkmA"})
    assert asked.sid.startswith("v3:")
    assert asked.inbound


@pytest.mark.parametrize(
    ("told", "means"),
    [("ringing", "ringing"), ("ring", "ringing"), ("cancel", "canceled"), ("timeout", "no-answer"), ("busy", "busy")],
)
def test_plivo_tells_of_a_call_in_its_own_words(told: str, means: str) -> None:
    fields = {
        "CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb",
        "From": "14155550123",
        "To": "sip:mira@phone.plivo.com",
        "Direction": "outbound",
        "CallStatus": told,
        "DialStatus": told,
        "Duration": "12",
        "BillDuration": "60",
    }
    asked = dialect_of("plivo").read(fields)
    assert asked == CarrierRequest(
        "97ceeb52-58b6-11e1-86da-77300b68f8bb", "+14155550123", "sip:mira@phone.plivo.com", means, False, 60, means
    )


@pytest.mark.parametrize("carrier", ["twilio", "telnyx", "plivo"])
@pytest.mark.parametrize("sid", ["", "CA 1", "<CA1>", "C" * 101, "CA\n"])
def test_what_names_no_call_is_refused(carrier: str, sid: str) -> None:
    with pytest.raises(BadCall, match="missing or malformed"):
        dialect_of(carrier).read({"CallSid": sid, "CallUUID": sid})  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", ["", "-1", "1e9", "x", "9" * 10])
def test_a_duration_that_is_none_is_not_known(seconds: str) -> None:
    assert dialect_of("twilio").read({"CallSid": "CA1", "CallDuration": seconds}).seconds is None


def test_a_telnyx_stream_says_its_call_as_it_was_given_in_the_start_or_in_the_url() -> None:
    telnyx, given = dialect_of("telnyx"), {"call": "v3:webhook", "token": "t"}
    for start, query in [
        (Start("s", "v3:control", "", ("inbound",), given), {}),
        (Start("s", "v3:control", "", ("inbound",), {}), {**given, "more": "x"}),
    ]:
        parameters = telnyx.parameters(start, query)
        assert parameters == given
        assert telnyx.call_of(start, parameters) == "v3:webhook"


def test_what_stands_in_the_url_of_another_carriers_stream_is_nothing() -> None:
    start = Start("s", "CA1", "", ("inbound",), {})
    for carrier in (dialect_of("twilio"), dialect_of("plivo")):
        parameters = carrier.parameters(start, {"token": "t", "call": "CA2"})
        assert parameters == {}
        assert carrier.call_of(start, parameters) == "CA1"
