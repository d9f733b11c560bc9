from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from telephony.twilio.twiml import connect_stream, reject, say_and_hang_up


def test_a_stream_is_connected_with_its_parameters() -> None:
    assert connect_stream("wss://a.example/telephony/stream", {"token": "t-1", "agent": "demo"}) == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="wss://a.example/telephony/stream">'
        '<Parameter name="token" value="t-1" /><Parameter name="agent" value="demo" /></Stream></Connect></Response>'
    )


def test_a_caller_is_told_and_the_call_ends() -> None:
    assert say_and_hang_up("Sorry.").endswith('<Response><Say language="en-US">Sorry.</Say><Hangup /></Response>')


def test_a_call_is_rejected() -> None:
    assert reject("busy").endswith('<Response><Reject reason="busy" /></Response>')


def test_a_text_is_cut_to_what_twilio_speaks() -> None:
    spoken = ElementTree.fromstring(say_and_hang_up("a" * 5000)).find("Say")
    assert spoken is not None
    assert spoken.text == "a" * 4096


@given(st.text(), st.text(), st.text())
def test_any_text_makes_well_formed_xml_and_adds_no_verbs(url: str, name: str, value: str) -> None:
    connect = ElementTree.fromstring(connect_stream(url, {name: value}).encode())
    assert [element.tag for element in connect.iter()] == ["Response", "Connect", "Stream", "Parameter"]
    say = ElementTree.fromstring(say_and_hang_up(value).encode())
    assert [element.tag for element in say.iter()] == ["Response", "Say", "Hangup"]
