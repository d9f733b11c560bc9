from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from telephony.plivo.xml import connect_stream, dial, hang_up, say_and_hang_up


def test_a_stream_is_connected_both_ways_and_what_follows_waits() -> None:
    assert connect_stream("wss://a.example/s", {"token": "t1"}, "https://a.example/next").endswith(
        '<Response><Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000" '
        'extraHeaders="token=t1">wss://a.example/s</Stream>'
        '<Redirect method="POST">https://a.example/next</Redirect></Response>'
    )
    assert "Redirect" not in connect_stream("wss://a.example/s", {"token": "t1"})


def test_a_caller_is_told_and_the_call_ends() -> None:
    assert say_and_hang_up("Sorry.").endswith('<Response><Speak language="en-US">Sorry.</Speak><Hangup /></Response>')
    assert hang_up().endswith("<Response><Hangup /></Response>")


def test_numbers_are_dialled_as_the_carrier_writes_them_and_addresses_as_users() -> None:
    document = dial("+442079460018", caller="+14155550123", then="https://a.example/t", ring_seconds=20)
    assert document.endswith(
        '<Dial callerId="14155550123" action="https://a.example/t" method="POST" timeout="20">'
        "<Number>442079460018</Number></Dial></Response>"
    )
    assert "<User>sip:desk@a.example</User>" in dial(
        "sip:desk@a.example", caller="+14155550123", then="https://a.example/t", ring_seconds=20
    )


@given(st.text(), st.text())
def test_any_text_makes_well_formed_xml_and_adds_no_verbs(url: str, text: str) -> None:
    said = ElementTree.fromstring(say_and_hang_up(text).encode())
    assert [element.tag for element in said.iter()] == ["Response", "Speak", "Hangup"]
    dialled = ElementTree.fromstring(dial(text, caller=text, then=url, ring_seconds=5).encode())
    assert [element.tag for element in dialled.iter()][:2] == ["Response", "Dial"]
    assert len(list(dialled.iter())) == 3
