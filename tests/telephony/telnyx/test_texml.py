from telephony.telnyx.texml import connect_stream


def test_a_stream_is_connected_both_ways_as_mu_law_and_what_follows_waits() -> None:
    assert connect_stream("wss://a.example/s", {"token": "t1", "call": "v3:a"}, "https://a.example/next").endswith(
        '<Response><Connect><Stream url="wss://a.example/s?token=t1&amp;call=v3%3Aa" '
        'track="inbound_track" bidirectionalMode="rtp" bidirectionalCodec="PCMU">'
        '<Parameter name="token" value="t1" /><Parameter name="call" value="v3:a" /></Stream></Connect>'
        '<Redirect method="POST">https://a.example/next</Redirect></Response>'
    )


def test_without_parameters_the_url_is_as_it_was_given() -> None:
    document = connect_stream("wss://a.example/s", {})
    assert 'url="wss://a.example/s"' in document
    assert "Redirect" not in document
