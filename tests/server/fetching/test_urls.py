from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.fetching import FetchError, FetchProblem, UrlPolicy, check_url, is_public
from server.fetching.urls import follow
from tests.server.fetching.hostile_urls import RESOLVING, hostile_urls

PUBLIC = UrlPolicy()
OPEN = UrlPolicy(ports=frozenset({443, 4430}))
LOCAL = UrlPolicy(allow_local=True)
RESOLVED = tuple(f"https://{name}:4430/secret" for name in RESOLVING)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/A?b=c#d", "https://example.com/A?b=c"),
        ("https://example.com.:8443/x", "https://example.com:8443/x"),
        ("https://bücher.example/ü?q=ü", "https://xn--bcher-kva.example/%C3%BC?q=%C3%BC"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"),
        ("https://example.com/a%20b%2F?x=%41", "https://example.com/a%20b%2F?x=%41"),
        ("https://93.184.216.34/x", "https://93.184.216.34/x"),
        ("https://[2606:2800:220:1:248:1893:25c8:1946]/x", "https://[2606:2800:220:1:248:1893:25c8:1946]/x"),
        ("https://my_bucket.s3.example.com/a+b/c;d=(e)!*'@:x", "https://my_bucket.s3.example.com/a+b/c;d=(e)!*'@:x"),
        ("https://example.com?x", "https://example.com/?x"),
    ],
)
def test_good_urls_have_one_normal_form(url: str, normal: str) -> None:
    assert check_url(url, PUBLIC).url == normal
    assert check_url(normal, PUBLIC).url == normal


@pytest.mark.parametrize("url", [url for url in hostile_urls(4430) if url not in RESOLVED])
def test_hostile_urls_are_refused_before_any_name_is_resolved(url: str) -> None:
    with pytest.raises(FetchError) as refused:
        check_url(url, OPEN)
    assert refused.value.code in (FetchProblem.INVALID_URL, FetchProblem.NOT_PUBLIC)
    assert refused.value.message.startswith("The URL")


@pytest.mark.parametrize("url", RESOLVED)
def test_names_that_lead_astray_look_like_any_other(url: str) -> None:
    check_url(url, OPEN)


def test_there_are_more_than_150_hostile_urls() -> None:
    assert len(set(hostile_urls(4430))) >= 200


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://localhost:81/", "https://[::1]:5/", "https://a.example:9/"]
)
def test_the_switch_for_tests_admits_http_and_this_machine_on_any_port(url: str) -> None:
    assert check_url(url, LOCAL).url == url
    with pytest.raises(FetchError):
        check_url(url, PUBLIC)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"]
)
def test_the_switch_for_tests_admits_nothing_else(host: str) -> None:
    with pytest.raises(FetchError):
        check_url(f"http://{host}/", LOCAL)


def test_messages_say_what_to_change() -> None:
    for url, text in {
        "http://example.com/": "must begin with https://",
        "https://a:b@example.com/": "must not hold a user name or password",
        "https://example.com:22/": "names port 22; 443 or 8443 can be used",
        "https://example.com/a b": "percent-encode",
        "https://127.1/": "number in an unusual form",
        "https://" + "a" * 3000: "more than 2048 characters",
        "": "is empty",
    }.items():
        with pytest.raises(FetchError, match=text):
            check_url(url, PUBLIC)


def test_redirects_are_resolved_and_checked_like_any_url() -> None:
    start = check_url("https://example.com/a/b?c", PUBLIC)
    assert follow(start, "../d", PUBLIC).url == "https://example.com/d"
    assert follow(start, "//other.example/x", PUBLIC).url == "https://other.example/x"
    for location in (
        "http://example.com/",
        "https://127.0.0.1/",
        "//[::1]/",
        "",
        "https://a b/",
        "file:///etc/passwd",
        "https://[/",
    ):
        with pytest.raises(FetchError):
            follow(start, location, PUBLIC)


@given(st.ip_addresses(v=4))
def test_a_public_address_is_never_one_that_the_standard_library_calls_special(address: IPv4Address) -> None:
    special = (
        address.is_private or address.is_loopback or address.is_link_local
        or address.is_multicast or address.is_reserved or address.is_unspecified or not address.is_global
    )  # fmt: skip
    assert not (special and is_public(address))


@given(st.ip_addresses(v=6))
def test_a_public_address_never_carries_another_inside(address: IPv6Address) -> None:
    if is_public(address):
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None
        assert not address.is_site_local
        assert 0x2000 <= int(address) >> 112 <= 0x3FFF


@given(st.ip_addresses(v=4))
def test_every_form_of_every_address_that_is_not_public_is_refused(address: IPv4Address) -> None:
    number, parts = int(address), str(address).split(".")
    odd = [
        str(number), hex(number), oct(number).replace("0o", "0"), ".".join(hex(int(part)) for part in parts),
        ".".join(f"0{int(part):o}" for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}", f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
    ]  # fmt: skip
    for host in odd:
        if host != str(address):
            with pytest.raises(FetchError):
                check_url(f"https://{host}/", PUBLIC)
    for inside in (
        f"::ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::",
    ):
        with pytest.raises(FetchError):
            check_url(f"https://[{inside}]/", PUBLIC)


@given(st.text(max_size=60) | st.text("htps:/@[]%.\\0x7f1 #?-", max_size=60).map(lambda text: "https://" + text))
def test_any_text_is_refused_or_has_a_normal_form_that_is_accepted(text: str) -> None:
    try:
        target = check_url(text, PUBLIC)
    except FetchError:
        return
    assert check_url(target.url, PUBLIC) == target
    assert target.url.isascii()
    assert target.scheme == "https"
