from __future__ import annotations

import re

import httpx
import pytest

from server.browser.access import COOKIE, PageAccess
from server.browser.options import BrowserOptions
from server.database import Database
from server.settings import Settings
from server.web.assets import STATIC, Assets
from server.web.pages import CONTENT_SECURITY_POLICY, PAGES, Page
from server.web.routes import web_routes
from tests.server.running import running


def ask(settings: Settings, database: Database, path: str, *, public: bool = True, **given: str) -> httpx.Response:
    """A request to the whole application with the page in it."""
    options = BrowserOptions("http://localhost", 4, public_agents=frozenset({"demo"} if public else ()))
    with running(settings, database, routes=web_routes(PageAccess(options))) as server:
        return httpx.get(server.url + path, headers=given)


def test_the_page_may_do_only_what_it_must(settings: Settings, database: Database) -> None:
    response = ask(settings, database, "/")
    assert response.status_code == 200
    headers = response.headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert headers["permissions-policy"].startswith("microphone=(self), camera=(self)")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_the_visitor_on_this_machine_is_admitted(settings: Settings, database: Database) -> None:
    cookie = ask(settings, database, "/", public=False).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


@pytest.mark.parametrize("public", [True, False])
def test_a_visitor_from_elsewhere_is_admitted_where_an_agent_is_open_to_all(
    settings: Settings, database: Database, public: bool
) -> None:
    response = ask(settings, database, "/", public=public, host="talk.example.com")
    assert response.status_code == 200
    assert ("set-cookie" in response.headers) is public


def test_all_that_the_page_names_is_there(settings: Settings, database: Database) -> None:
    assets = Assets()
    options = BrowserOptions("http://localhost", 4)
    with running(settings, database, routes=web_routes(PageAccess(options), assets)) as server:
        page = httpx.get(server.url + "/").text
        paths = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
        assert {path.rsplit("/", 1)[1] for path in paths} >= {"main.js", "tokens.css", "base.css", "logo.svg"}
        for path in paths:
            response = httpx.get(server.url + path)
            assert response.status_code == 200, path
            assert response.headers["x-content-type-options"] == "nosniff"


def test_nothing_in_the_page_is_inline_or_from_elsewhere() -> None:
    page = (PAGES / "talk.html").read_text()
    assert "{{" not in Page("talk.html", Assets())._html
    assert not re.search(r"\sstyle=", page)
    assert not re.search(r"\son[a-z]+=", page)
    assert not re.search(r"<style|<script(?![^>]+src=)", page)
    for path in STATIC.rglob("*"):
        if path.suffix in (".js", ".css"):
            text = path.read_text()
            addresses = re.findall(r"https?://[\w.-]+", text)
            assert set(addresses) <= {"http://www.w3.org", "http://localhost", "https://example.com"}, path


def test_every_module_imports_files_that_exist() -> None:
    for path in STATIC.rglob("*.js"):
        for name in re.findall(r'from "([^"]+)"', path.read_text()):
            assert name.startswith("."), f"{path} imports {name}"
            assert (path.parent / name).is_file(), f"{path} imports {name}"


def test_the_font_comes_with_its_licence() -> None:
    fonts = STATIC / "shared" / "fonts"
    assert list(fonts.glob("*.woff2"))
    assert "SIL Open Font License, Version 1.1" in (fonts / "OFL.txt").read_text()


def test_what_the_page_loads_stays_small() -> None:
    files = {name: asset for name, asset in Assets()._files.items() if name.startswith(("shared/", "talk/"))}
    assert sum(len(asset.packed or asset.content) for asset in files.values()) < 120_000
