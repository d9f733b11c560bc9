from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from server.web.assets import Assets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "talk").mkdir()
    (tmp_path / "talk" / "main.js").write_text("export const answer = 42;\n" * 50)
    (tmp_path / "letters.woff2").write_bytes(bytes(range(256)))
    return tmp_path


@asynccontextmanager
async def asking(assets: Assets) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=assets.routes())
    app.router.redirect_slashes = False
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


async def test_a_file_is_served_for_a_year_under_a_path_that_names_its_contents(folder: Path) -> None:
    assets = Assets(folder)
    async with asking(assets) as client:
        response = await client.get(assets.url("talk/main.js"))
    assert response.status_code == 200
    assert response.text == (folder / "talk" / "main.js").read_text()
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_another_content_has_another_path_and_the_old_one_is_gone(folder: Path) -> None:
    before = Assets(folder).url("letters.woff2")
    (folder / "talk" / "main.js").write_text("export const answer = 43;")
    assets = Assets(folder)
    assert assets.url("letters.woff2") != before
    async with asking(assets) as client:
        assert (await client.get(before)).status_code == 404
        assert (await client.get(assets.url("letters.woff2"))).status_code == 200


async def test_text_is_packed_for_whoever_takes_it(folder: Path) -> None:
    assets = Assets(folder)
    async with asking(assets) as client:
        url = assets.url("talk/main.js")
        packed = await client.get(url, headers={"accept-encoding": "br, gzip;q=0.5"})
        plain = await client.get(url, headers={"accept-encoding": "gzip;q=0, identity"})
        font = await client.get(assets.url("letters.woff2"), headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert packed.text == plain.text
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in font.headers
    assert packed.headers["vary"] == "accept-encoding"


async def test_a_file_that_is_known_is_not_sent_again(folder: Path) -> None:
    assets = Assets(folder)
    async with asking(assets) as client:
        first = await client.get(assets.url("talk/main.js"))
        etag = first.headers["etag"]
        again = await client.get(assets.url("talk/main.js"), headers={"if-none-match": f'"other", W/{etag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag


@pytest.mark.parametrize("name", ["../secret.js", "talk/../../secret.js", "%2e%2e/secret.js", "talk", "", "nothing.js"])
async def test_nothing_else_is_served(folder: Path, name: str) -> None:
    (folder.parent / "secret.js").write_text("no")
    assets = Assets(folder)
    async with asking(assets) as client:
        response = await client.get(f"/static/{assets.version}/{name}")
    assert response.status_code == 404


async def test_files_are_only_read(folder: Path) -> None:
    assets = Assets(folder)
    async with asking(assets) as client:
        assert (await client.head(assets.url("talk/main.js"))).status_code == 200
        assert (await client.post(assets.url("talk/main.js"))).status_code == 405


def test_a_file_of_an_unknown_type_is_found_at_the_start(folder: Path) -> None:
    (folder / "notes.docx").write_text("?")
    with pytest.raises(ValueError, match=r"notes\.docx"):
        Assets(folder)


def test_a_page_cannot_name_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(KeyError, match=r"talk/gone\.js"):
        Assets(folder).url("talk/gone.js")
