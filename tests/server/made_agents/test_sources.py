"""What an agent is to be made of: URLs are told from data, and both are checked."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.fetching import UrlPolicy
from server.made_agents.sources import SourceRefused, read_sources

POLICY = UrlPolicy()


def test_urls_are_kept_and_data_decoded(tmp_path: Path) -> None:
    data = base64.b64encode(b"picture" * 10).decode()
    sources = read_sources(
        "  You are Ada. ",
        {"image": f"data:image/png;base64,{data}", "video": "https://example.com/a.mp4", "audio": data},
        POLICY,
    )
    assert sources.prompt == "You are Ada."
    assert dict(sources.urls) == {"video": "https://example.com/a.mp4"}
    assert sources.as_json() == {
        "prompt": "You are Ada.",
        "urls": {"video": "https://example.com/a.mp4"},
        "files": ["audio", "image"],
    }
    sources.save(tmp_path / "new" / "folder")
    assert {path.name: path.read_bytes() for path in (tmp_path / "new" / "folder").iterdir()} == {
        "image": b"picture" * 10,
        "audio": b"picture" * 10,
    }


def test_nothing_is_nothing() -> None:
    sources = read_sources(None, {"image": None, "video": "", "audio": " \n"}, POLICY)
    assert (sources.prompt, dict(sources.urls), dict(sources.data)) == ("", {}, {})


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/a.jpg",
        "https://127.0.0.1/a.jpg",
        "https://[::1]/a.jpg",
        "https://2130706433/a.jpg",
        "HTTPS://localhost/",
        "ftp://example.com/a.jpg",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:image/png;base64,###",
        "data:text/html,hello",
        "not base64 at all!",
    ],
)
def test_hostile_and_broken_sources_are_refused_by_their_field(text: str) -> None:
    with pytest.raises(SourceRefused, match="image: "):
        read_sources(None, {"image": text}, POLICY)


@given(st.text(max_size=100))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        sources = read_sources(text, {"audio": text}, POLICY)
    except SourceRefused as error:
        assert str(error).startswith("audio: ")
    else:
        assert set(sources.urls) | set(sources.data) <= {"audio"}


@given(st.binary(min_size=1, max_size=300))
def test_any_data_survive_their_encoding(data: bytes) -> None:
    for text in (base64.b64encode(data).decode(), "data:;base64," + base64.urlsafe_b64encode(data).decode()):
        assert read_sources(None, {"image": text}, POLICY).data == {"image": data}
