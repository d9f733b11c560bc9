import pytest
from starlette.requests import HTTPConnection

from server.phone.gate import Gate, is_local
from server.phone.options import PhoneOptions
from telephony.twilio.signature import sign

LOCAL = [("host", "127.0.0.1:8080")]


def request(
    headers: list[tuple[str, str]],
    client: tuple[str, int] | None = ("127.0.0.1", 5),
    *,
    kind: str = "http",
    path: str = "/telephony/voice",
    query: str = "",
) -> HTTPConnection:
    return HTTPConnection(
        {
            "type": kind,
            "client": client,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        }
    )


def gate(auth_token: str = "secret", public_url: str = "https://voice.example") -> Gate:
    return Gate(PhoneOptions(public_url, auth_token, 4))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.1.2.3"])
@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_program_on_this_machine_is_local(host: str, client: str) -> None:
    assert is_local(request([("host", host)], (client, 5)))


@pytest.mark.parametrize(
    "client", [None, ("192.0.2.1", 5), ("10.0.0.1", 5), ("::ffff:10.0.0.1", 5), ("", 0), ("unix:/run/x", 0)]
)
def test_a_peer_elsewhere_is_not_local(client: tuple[str, int] | None) -> None:
    assert not is_local(request(LOCAL, client))


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["voice.example"],
        ["localhost.voice.example"],
        ["127.0.0.1.voice.example"],
        ["voice.example@127.0.0.1.x"],
        ["[::1"],
        ["0.0.0.0"],
        [""],
        ["127.0.0.1", "voice.example"],
        ["127.0.0.1", "127.0.0.1"],
    ],
)
def test_a_name_of_another_host_is_not_local(hosts: list[str]) -> None:
    assert not is_local(request([("host", host) for host in hosts]))


@pytest.mark.parametrize(
    "header",
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip", "cf-connecting-ip",
     "cf-ray", "true-client-ip", "x-client-ip", "x-original-host", "fly-client-ip", "ngrok-trace-id"],
)  # fmt: skip
def test_what_a_proxy_passed_on_is_not_local(header: str) -> None:
    assert not is_local(request([*LOCAL, (header, "127.0.0.1")]))


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:8080", "http://127.0.0.1:3000", "file://", "", "http://["],
)
def test_a_web_page_of_another_origin_is_not_local(origin: str) -> None:
    assert not is_local(request([*LOCAL, ("origin", origin)]))


def test_a_page_of_this_server_is_local() -> None:
    assert is_local(request([*LOCAL, ("origin", "http://127.0.0.1:8080")]))


def test_a_signed_webhook_is_admitted_from_anywhere() -> None:
    url, form = "https://voice.example/telephony/voice?agent=demo", [("CallSid", "CA1"), ("From", "+1")]
    headers = [("host", "internal:8080"), ("x-forwarded-for", "192.0.2.1")]
    signed = [*headers, ("x-twilio-signature", sign("secret", url, form))]
    assert gate().admits(request(signed, ("192.0.2.1", 5), query="agent=demo"), form)
    assert not gate().admits(request(signed, ("192.0.2.1", 5), query="agent=sales"), form)
    assert not gate("other").admits(request(signed, ("192.0.2.1", 5), query="agent=demo"), form)


def test_with_a_token_set_this_machine_needs_a_signature_too() -> None:
    assert not gate().admits(request(LOCAL))
    assert not gate().admits(request([*LOCAL, ("x-twilio-signature", "")]))
    assert gate("").admits(request(LOCAL))


def test_a_second_signature_makes_both_worthless() -> None:
    good = ("x-twilio-signature", sign("secret", "https://voice.example/telephony/voice"))
    assert gate().admits(request([good]))
    assert not gate().admits(request([good, good]))


@pytest.mark.parametrize(("public", "stream"), [("https://a.example", "wss://a.example"), ("http://a:1", "ws://a:1")])
def test_the_socket_is_signed_over_its_public_url(public: str, stream: str) -> None:
    door = gate(public_url=public)
    url = door.url("/telephony/stream", websocket=True)
    assert url == f"{stream}/telephony/stream"
    headers = [("x-twilio-signature", sign("secret", url))]
    assert door.admits(request(headers, kind="websocket", path="/telephony/stream"))
    assert not door.admits(request(headers, path="/telephony/stream"))


def test_a_public_url_with_a_path_is_kept() -> None:
    assert gate(public_url="https://a.example/voice/").url("/telephony/voice") == (
        "https://a.example/voice/telephony/voice"
    )


def test_escapes_in_the_path_are_signed_as_they_were_sent() -> None:
    headers = [("x-twilio-signature", sign("secret", "https://voice.example/telephony/voice?agent=a%20b"))]
    assert gate().admits(request(headers, query="agent=a%20b"))
