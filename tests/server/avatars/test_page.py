"""Making an avatar in the page: the real server, a real picture, a real face."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from server.avatars.allowance import Allowance
from server.avatars.page import MOST_BYTES, avatar_name
from server.browser.errors import Refused
from tests.media.avatar.faces import PORTRAITS
from tests.server.whole import ORIGIN, Whole, whole

GRACE = (PORTRAITS / "grace_hopper.jpg").read_bytes()
PATH = "/api/page/avatars"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def visitor(server: Whole) -> Iterator[httpx.Client]:
    with server.visitor() as client:
        yield client


def make(client: httpx.Client, data: bytes = GRACE, *, name: str = "Grace", **headers: str) -> httpx.Response:
    given = {
        "X-Visavis-Consent": "yes",
        "Content-Type": "image/jpeg",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return client.post(PATH, params={"name": name}, content=data, headers={k: v for k, v in given.items() if v})


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def folders(server: Whole) -> set[str]:
    root = server.settings.data_dir / "avatars"
    return {path.name for path in root.iterdir()} if root.exists() else set()


@pytest.mark.models
def test_a_picture_becomes_an_avatar_that_speaks_and_can_be_talked_to(server: Whole, visitor: httpx.Client) -> None:
    made = make(visitor, name="  Grace   Hopper ")
    assert made.status_code == 201, made.text
    data = made.json()["data"]
    assert data["name"] == "Grace Hopper"
    assert data["warnings"] == []
    film = visitor.get(data["preview"])
    assert film.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(film.content), "r") as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (512, 512)
        assert container.streams.video[0].frames >= 40
        sound = [np.asarray(frame.to_ndarray()) for frame in container.decode(container.streams.audio[0])]
        assert max(float(np.abs(part).max()) for part in sound) > 0.05
    part = visitor.get(data["preview"], headers={"Range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, film.content[:100])
    poster = visitor.get(data["poster"])
    assert Image.open(io.BytesIO(poster.content)).size == (512, 512)
    agents = visitor.get("/api/sessions/agents").json()["data"]
    assert [agent["id"] for agent in agents] == ["demo", data["agentId"]]
    assert "This is Grace Hopper" in agents[1]["greeting"]
    session = visitor.post("/api/sessions", json={"agentId": data["agentId"]})
    assert session.status_code == 201
    assert [avatar["id"] for avatar in visitor.get(PATH).json()["data"]] == [data["id"]]


@pytest.mark.models
def test_only_whoever_made_it_may_see_use_or_delete_it(server: Whole, visitor: httpx.Client) -> None:
    data = make(visitor).json()["data"]
    with server.visitor() as other:
        assert other.get(PATH).json() == {"data": []}
        assert other.get(data["preview"]).json()["code"] == "AVATAR_NOT_FOUND"
        assert other.get(data["poster"]).status_code == 404
        assert other.delete(f"{PATH}/{data['id']}").status_code == 404
        assert other.post("/api/sessions", json={"agentId": data["agentId"]}).status_code == 404
    with_key = {"Authorization": f"Bearer {server.key}"}
    assert (
        httpx.post(f"{server.url}/api/sessions", json={"agentId": data["agentId"]}, headers=with_key).status_code == 404
    )
    assert visitor.get(data["preview"]).status_code == 200


@pytest.mark.models
def test_a_deleted_avatar_leaves_nothing(server: Whole, visitor: httpx.Client) -> None:
    data = make(visitor).json()["data"]
    assert data["id"] in folders(server)
    assert visitor.delete(f"{PATH}/{data['id']}").status_code == 204
    assert data["id"] not in folders(server)
    assert visitor.get(data["preview"]).status_code == 404
    assert visitor.get(data["poster"]).status_code == 404
    assert visitor.post("/api/sessions", json={"agentId": data["agentId"]}).status_code == 404
    assert [agent["id"] for agent in visitor.get("/api/sessions/agents").json()["data"]] == ["demo"]
    assert visitor.delete(f"{PATH}/{data['id']}").status_code == 404


def two_faces() -> bytes:
    with Image.open(io.BytesIO(GRACE)) as image:
        pair = Image.new("RGB", (2 * image.width, image.height))
        pair.paste(image, (0, 0))
        pair.paste(image, (image.width, 0))
    return jpeg(pair)


def small_face() -> bytes:
    with Image.open(io.BytesIO(GRACE)) as image:
        return jpeg(image.resize((image.width // 4, image.height // 4)))


def covered_mouth() -> bytes:
    with Image.open(io.BytesIO(GRACE)) as image:
        painted = image.convert("RGB")
        painted.paste((60, 140, 190), (170, 250, 370, 400))
        return jpeg(painted)


@pytest.mark.models
@pytest.mark.parametrize(
    ("data", "status", "code", "text"),
    [
        (jpeg(Image.new("RGB", (600, 600), (90, 120, 90))), 422, "NO_FACE", "one face from the front"),
        (two_faces(), 422, "SEVERAL_FACES", "one person"),
        (small_face(), 422, "FACE_TOO_SMALL", "closer"),
        (covered_mouth(), 422, "COVERED_MOUTH", "mask"),
        (b"GIF89a" + bytes(100), 415, "UNSUPPORTED_MEDIA_TYPE", ""),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "UNSUPPORTED_MEDIA_TYPE", ""),
        (GRACE[: len(GRACE) // 3], 415, "UNSUPPORTED_MEDIA_TYPE", "damaged"),
        (b"", 415, "UNSUPPORTED_MEDIA_TYPE", "empty"),
    ],
    ids=["nothing", "two", "small", "covered", "gif", "svg", "cut", "empty"],
)
def test_what_cannot_speak_is_refused_with_what_would_help(
    server: Whole, visitor: httpx.Client, data: bytes, status: int, code: str, text: str
) -> None:
    before = folders(server)
    refused = make(visitor, data)
    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    assert text in refused.json()["error"]
    assert folders(server) == before


@pytest.mark.models
def test_a_picture_of_very_many_pixels_is_refused_before_it_is_decoded(visitor: httpx.Client) -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 100_000
    refused = make(visitor, buffer.getvalue(), Content_Type="image/png")
    assert (refused.status_code, refused.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.models
def test_what_the_request_lacks_is_named(server: Whole, visitor: httpx.Client) -> None:
    def answer(**headers: Any) -> tuple[int, str]:
        refused = make(visitor, **headers)
        return refused.status_code, refused.json()["code"]

    assert answer(X_Visavis_Consent="") == (400, "CONSENT_NEEDED")
    assert answer(X_Visavis_Consent="no") == (400, "CONSENT_NEEDED")
    assert answer(Content_Type="image/gif") == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert answer(name="  ") == (400, "BAD_REQUEST")
    assert answer(Sec_Fetch_Site="cross-site") == (403, "FORBIDDEN")
    large = make(visitor, bytes(MOST_BYTES + 1))
    assert (large.status_code, large.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert httpx.post(server.url + PATH, content=GRACE, headers=ORIGIN).status_code == 401


@pytest.mark.models
def test_what_is_kept_for_a_day_is_gone_after_it(server: Whole, visitor: httpx.Client) -> None:
    data = make(visitor).json()["data"]
    library = server.parts.people.library
    clock = library._clock
    try:
        library._clock = lambda: datetime.now(UTC) + timedelta(hours=25)
        server.run(server.parts.people.agents.sweep(datetime.now(UTC) + timedelta(hours=25)))
    finally:
        library._clock = clock
    assert data["id"] not in folders(server)
    assert visitor.get(PATH).json() == {"data": []}


def test_names_are_fit_to_be_shown_and_spoken() -> None:
    assert avatar_name(" Zoë\n\t van  der Berg\u202e ") == "Zoë van der Berg"
    for wrong in ("", " \n", "!?", "x" * 61):
        with pytest.raises(Refused, match="name"):
            avatar_name(wrong)


def test_an_address_may_do_so_much_in_so_much_time() -> None:
    allowance = Allowance(2, 60.0)
    assert [allowance.take(at, "a") for at in (0.0, 10.0, 20.0, 59.5)] == [None, None, 40, 1]
    assert allowance.take(30.0, "b") is None
    assert allowance.take(60.0, "a") is None
    assert allowance.take(61.0, "a") == 9
