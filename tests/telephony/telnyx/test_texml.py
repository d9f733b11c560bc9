from telephony.telnyx.texml import connect_stream


def test_a_stream_is_connected_both_ways_as_mu_law() -> None:
    assert connect_stream("wss://a.example/s", {"token": "t1"}, "https://a.example/next").endswith(
        '<Response><Connect action="https://a.example/next" method="POST"><Stream url="wss://a.example/s" '
        'track="inbound_track" bidirectionalMode="rtp" bidirectionalCodec="PCMU">'
        '<Parameter name="token" value="t1" /></Stream></Connect></Response>'
    )
