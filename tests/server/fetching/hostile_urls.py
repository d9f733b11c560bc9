"""URLs that lead, or try to lead, where no user's URL may. {port} is a listener's on this machine."""

from __future__ import annotations

LOOPBACK_FORMS = (
    "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.000.000.001", "127.0.0.01", "0177.0.0.1", "0177.0.0.01",
    "0x7f.0.0.1", "0x7f.1", "0X7F.0.0.1", "0x7f000001", "0x7F000001", "2130706433", "017700000001", "0000000177.0.0.1",
    "00000000000000000000177.1", "127.0.0.1%00", "127.0.0.1%2e", "127%2e0%2e0%2e1", "%31%32%37.0.0.1",
    "127.127.127.127",
    "127.255.255.254", "0.0.0.0", "0", "0.0", "0x0", "00", "0.0.0.0.", "4294967296", "6425673729", "127.0.0.1.0",
    "１２７.０.０.１", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "①②⑦.⓪.⓪.①", "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "127.0.0.1\u200b", "127.0\u00ad.0.1",
    "localhost", "LOCALHOST", "localhost.", "LocalHost.", "a.localhost", "localhost.localdomain",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ",
    "loc\u00adalhost", "local%68ost", "ip6-localhost", "0x7f.0x0.0x0.0x1", "127.0x0.00.1", "0x7f.0.1",
    "1.0x7f", "127..1",
)  # fmt: skip
IPV6_FORMS = (
    "[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::]", "[::0]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]", "[::7f00:1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::]", "[2001::80ff:fffe]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[fec0::1]", "[fc00::1]",
    "[fd00:ec2::254]", "[fd20:ce::254]", "[ff02::1]", "[ff01::1]", "[2001:db8::1]", "[100::1]", "[5f00::1]",
    "[3fff::1]",
    "[::1", "::1", "[::1]x", "[::1]]", "[[::1]]", "[v1.a]", "[127.0.0.1]", "[::ffff:169.254.169.254]", "[]", "[:]",
    "[1]", "[::ffff:0x7f.1]", "[::1%00]", "[2620:4f:8000::1]", "[2001:10::1]", "[2001:20::1]",
)  # fmt: skip
PRIVATE_ADDRESSES = (
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255", "169.254.169.254",
    "169.254.170.2", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.254", "192.0.0.192", "192.0.0.8",
    "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.7", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1", "0.1.2.3", "2852039166", "0xa9fea9fe",
    "0251.0376.0251.0376", "0xA9.0xFE.0xA9.0xFE", "169.254.43518", "192.31.196.1", "192.175.48.1",
)  # fmt: skip
NAMES = (
    "metadata.google.internal", "metadata", "instance-data", "kubernetes.default.svc.cluster.local", "router.lan",
    "printer.local", "db.internal", "nas.home.arpa", "1.0.0.127.in-addr.arpa", "intranet", "host.docker.internal",
    "x.onion", "localhost.localdomain.", "-x.example.com", "x..example.com", "xn--.example.com", "xn--a.example.com",
    "a b.example.com", "a\tb.example.com", "example.com\\", "exa\u2028mple.com", ".", "..", "",
    "a" * 64 + ".com", ".com",
)  # fmt: skip
RESOLVING = {
    "a.attacker.example": ["127.0.0.1"],
    "six.attacker.example": ["::1"],
    "mapped.attacker.example": ["::ffff:127.0.0.1"],
    "zone.attacker.example": ["fe80::1%lo"],
    "both.attacker.example": ["93.184.216.34", "127.0.0.1"],
    "last.attacker.example": ["93.184.216.34", "93.184.216.35", "::1"],
    "zero.attacker.example": ["0.0.0.0"],
    "meta.attacker.example": ["169.254.169.254"],
    "ten.attacker.example": ["10.0.0.1"],
    "nat64.attacker.example": ["64:ff9b::7f00:1"],
    "teredo.attacker.example": ["2001:0:7f00:1::"],
    "sixtofour.attacker.example": ["2002:7f00:1::"],
    "many.attacker.example": ["93.184.216.34"] + [f"93.184.216.{k}" for k in range(35, 60)],
    "none.attacker.example": [],
    "odd.attacker.example": ["not an address"],
}
"""What the tests' resolver says of names that look like any other."""

SHAPES = (
    "https://user@127.0.0.1:{port}/", "https://user:password@127.0.0.1:{port}/", "https://example.com@127.0.0.1:{port}/",
    "https://example.com:443@127.0.0.1:{port}/", "https://127.0.0.1:{port}@example.com/", "https://:@127.0.0.1:{port}/",
    "https://@127.0.0.1:{port}/", "https://example.com%40127.0.0.1:{port}/", "https://example.com\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@example.com/", "https:\\\\127.0.0.1:{port}/", "https:/127.0.0.1:{port}/",
    "https:///127.0.0.1:{port}/", "https:127.0.0.1:{port}", "//127.0.0.1:{port}/", "/etc/passwd", "127.0.0.1:{port}",
    "https://127.0.0.1:{port}#@example.com/", "https://127.0.0.1:{port}?@example.com/", "https://[::1]:{port}@example.com",
    "http://127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}/", "http://a.attacker.example:{port}/",
    "ftp://127.0.0.1:{port}/", "file:///etc/passwd", "file://127.0.0.1/etc/passwd", "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/", "ldap://127.0.0.1:{port}/", "jar:https://127.0.0.1:{port}!/", "data:text/html,x",
    "javascript:fetch('https://127.0.0.1:{port}')", "unix:///var/run/docker.sock", "netdoc:///etc/passwd", "ws://127.0.0.1:{port}/",
    " https://127.0.0.1:{port}/", "https://127.0.0.1:{port}/ ", "\thttps://127.0.0.1:{port}/", "ht\ntps://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/\r\nHost: example.com", "https://example.com/\r\nX: y", "https://127.0.0.1:{port}\x00.example.com/",
    "https://127.0.0.1\t:{port}/", "https://127.0.0.1:+{port}/", "https://127.0.0.1:0x50/", "https://127.0.0.1:99999/",
    "https://127.0.0.1:-1/", "https://127.0.0.1:0/", "https://127.0.0.1:/", "https://127.0.0.1:{port}:443/",
    "https://example.com:22/", "https://example.com:25/", "https://example.com:6379/", "https://example.com:11211/",
    "https://\u202eexample.com/", "https://exam\ufeffple.com/", "https://example.com:４４３/",
    "", " ", "https://", "https:", "https",
    "https://{long}.example.com/", "https://example.com/{long}",
)  # fmt: skip


def hostile_urls(port: int) -> list[str]:
    """All of them; those of a host in each of two shapes."""
    hosts = (*LOOPBACK_FORMS, *IPV6_FORMS, *PRIVATE_ADDRESSES, *NAMES, *RESOLVING)
    urls = [f"https://{host}:{port}/secret" for host in hosts]
    long = "a" * 2100
    return urls + [shape.replace("{port}", str(port)).replace("{long}", long) for shape in SHAPES]
