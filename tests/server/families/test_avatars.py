"""F1's avatars: made of pictures at URLs."""

from __future__ import annotations

import io

from PIL import Image

from tests.server.families.world import Client, png

PHOTO = "https://example.com/photo.jpg"

HOSTILE: list[tuple[str, str]] = [
    ("http://example.com/photo.jpg", "image_url: The URL must begin with https://"),
    ("https://127.0.0.1/photo.jpg", "image_url: "),
    ("https://[::1]/photo.jpg", "image_url: "),
    ("https://169.254.169.254/latest/meta-data", "image_url: "),
    ("https://user:password@example.com/photo.jpg", "image_url: The URL must not hold a user name or password"),
    ("https://example.com:22/photo.jpg", "image_url: The URL names port 22"),
    ("https://example.com/missing.jpg", "image_url: The server answered 404."),
    ("ftp://example.com/photo.jpg", "image_url: must be an https:// URL"),
    ("data:image/png;base64,AAAA", "image_url: must be an https:// URL"),
]

WRONG: list[tuple[dict[str, str], str]] = [
    ({"name": ""}, "name: "),
    ({"name": "x" * 61}, "name: "),
    ({"voice_id": "voice_unknown"}, "voice_id: there is no voice 'voice_unknown' here; there are piper-joe"),
    ({"voice_id": "/etc/passwd"}, "voice_id: "),
]


async def make(client: Client, **changed: object) -> dict[str, object]:
    client.world.pages.content[PHOTO] = png()
    answer = await client.post("/v1/avatars", json={"name": "My New Avatar", "image_url": PHOTO, **changed})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_an_avatar_is_made_of_a_picture_with_a_preview(client: Client) -> None:
    made = await make(client, voice_id="kokoro:af_heart")
    assert made["name"] == "My New Avatar"
    assert made["voice_id"] == "kokoro:af_heart"
    key = client.world.opened(made["preview_url"])
    assert key == f"avatars/{made['id']}/preview.webp"
    info = client.world.files.stat(key, client.world.account)
    assert info is not None
    with Image.open(io.BytesIO(b"".join(client.world.files.read(info)))) as image:
        assert image.format == "WEBP"
        assert image.width == image.height >= 400
    (listed,) = (await client.get("/v1/avatars")).json()["data"]
    assert client.world.opened(listed["preview_url"]) == key
    assert listed | {"preview_url": ""} == made | {"preview_url": ""}


async def test_an_avatar_made_elsewhere_has_no_preview_here(client: Client) -> None:
    avatar = await client.world.avatar()
    (listed,) = (await client.get("/v1/avatars")).json()["data"]
    assert (listed["id"], listed["preview_url"]) == (avatar.id, None)


async def test_an_account_without_room_keeps_no_half_an_avatar(client: Client) -> None:
    client.world.pages.content[PHOTO] = png()
    client.world.files._quota = 10
    answer = await client.post("/v1/avatars", json={"name": "Anna", "image_url": PHOTO})
    assert answer.status_code == 403
    assert "storage left" in answer.json()["error"]
    assert (await client.get("/v1/avatars")).json()["data"] == []


async def test_avatars_come_in_pages_and_only_ones_own(client: Client) -> None:
    made = [(await make(client, name=f"Avatar {number}"))["id"] for number in range(3)]
    first = (await client.get("/v1/avatars?limit=2")).json()
    assert ([avatar["id"] for avatar in first["data"]], first["has_more"]) == (made[:0:-1], True)
    rest = (await client.get(f"/v1/avatars?starting_after={made[1]}")).json()
    assert ([avatar["id"] for avatar in rest["data"]], rest["has_more"]) == (made[:1], False)
    stranger = client.world.stranger()
    assert (await client.get("/v1/avatars", headers=stranger)).json()["data"] == []
    after = await client.get(f"/v1/avatars?starting_after={made[1]}", headers=stranger)
    assert (after.status_code, after.json()["error"]) == (422, "starting_after: there is no such avatar")


async def test_urls_that_lead_nowhere_or_inside_are_refused(client: Client) -> None:
    for url, error in HOSTILE:
        answer = await client.post("/v1/avatars", json={"name": "Anna", "image_url": url})
        assert answer.status_code == 422, url
        assert answer.json()["error"].startswith(error), answer.text
    assert (await client.get("/v1/avatars")).json()["data"] == []


async def test_a_file_that_is_no_picture_is_refused(client: Client) -> None:
    client.world.pages.content[PHOTO] = b"%PDF-1.7 and so on, for longer than a head of a picture would be"
    answer = await client.post("/v1/avatars", json={"name": "Anna", "image_url": PHOTO})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("image_url: ")


async def test_a_picture_without_a_face_is_refused_with_what_would_help(client: Client) -> None:
    client.world.pages.content[PHOTO] = png()
    client.world.studio.refusal = "No face was found. Please send a picture of one person from the front."
    answer = await client.post("/v1/avatars", json={"name": "Anna", "image_url": PHOTO})
    assert answer.status_code == 422
    assert answer.json()["error"] == f"image_url: {client.world.studio.refusal}"


async def test_wrong_fields_are_named(client: Client) -> None:
    client.world.pages.content[PHOTO] = png()
    for changed, error in WRONG:
        answer = await client.post("/v1/avatars", json={"name": "Anna", "image_url": PHOTO, **changed})
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"].startswith(error), answer.text
