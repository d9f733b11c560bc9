from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from telephony.twilio.twiml import connect_stream, dial, hang_up, hold, join, say_and_hang_up


def test_a_stream_is_connected_with_its_parameters() -> None:
    assert connect_stream("wss://a.example/telephony/stream", {"token": "t-1", "agent": "demo"}) == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="wss://a.example/telephony/stream">'
        '<Parameter name="token" value="t-1" /><Parameter name="agent" value="demo" /></Stream></Connect></Response>'
    )


def test_a_caller_is_told_and_the_call_ends() -> None:
    assert say_and_hang_up("Sorry.").endswith('<Response><Say language="en-US">Sorry.</Say><Hangup /></Response>')


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


def test_what_follows_a_stream_is_asked_for() -> None:
    assert (
        '<Connect action="https://a.example/next" method="POST"><Stream url="wss://a.example/s">'
        '<Parameter name="token" value="t" /></Stream></Connect>'
    ) in connect_stream("wss://a.example/s", {"token": "t"}, "https://a.example/next")


def test_numbers_and_addresses_are_dialled_with_our_number() -> None:
    to = {"caller": "+14155550123", "then": "https://a.example/t", "ring_seconds": 20}
    assert dial("+442079460018", **to).endswith(  # type: ignore[arg-type]
        '<Dial callerId="+14155550123" action="https://a.example/t" method="POST" timeout="20">'
        "<Number>+442079460018</Number></Dial></Response>"
    )
    assert "<Sip>sips:desk@a.example</Sip>" in dial("sips:desk@a.example", **to)  # type: ignore[arg-type]


def test_who_holds_hears_music_and_is_asked_again() -> None:
    assert hold("https://a.example/hold.wav", "https://a.example/h").endswith(
        '<Response><Play>https://a.example/hold.wav</Play><Redirect method="POST">https://a.example/h</Redirect>'
        "</Response>"
    )


def test_two_meet_in_a_conference_that_ends_with_either() -> None:
    room = ElementTree.fromstring(join("room", "https://a.example/t", music="https://a.example/hold.wav")).find(
        "Dial/Conference"
    )
    assert room is not None
    assert room.text == "room"
    assert room.get("endConferenceOnExit") == "true"
    assert room.get("waitUrl") == "https://a.example/hold.wav"


def test_a_call_is_ended_without_a_word() -> None:
    assert hang_up().endswith("<Response><Hangup /></Response>")
