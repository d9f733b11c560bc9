"""The reference: OpenAPI 3.1 for programs, a page for people, both from the one registry."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator

from server.gate.families import Family
from server.gate.registry import Endpoint, Registry
from tests.server.gate.serving import Served, Things


async def test_every_endpoint_is_in_the_document_with_its_statuses(service: Served) -> None:
    document = (await service.client.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    documented = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    endpoints = service.gate.registry.endpoints
    assert set(documented) == {(endpoint.method, endpoint.path) for endpoint in endpoints}
    for endpoint in endpoints:
        operation = documented[endpoint.method, endpoint.path]
        assert {int(status) for status in operation["responses"]} == endpoint.statuses
        assert {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"} == set(
            endpoint.parameters
        )
    names = [operation["operationId"] for operation in documented.values()]
    assert len(set(names)) == len(names)


async def test_its_schemas_are_valid_and_its_references_lead_somewhere(service: Served) -> None:
    answer = await service.client.get("/openapi.json")
    schemas = answer.json()["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert set(re.findall(r'"#/components/schemas/(\w+)"', answer.text)) <= set(schemas)
    image = schemas["ImageRequest"]
    assert image["required"] == ["prompt"]
    assert image["properties"]["width"] == {
        "type": "integer",
        "minimum": 256,
        "maximum": 2048,
        "default": 1024,
        "title": "Width",
    }
    assert image["properties"]["model"]["enum"][0] == "grok-imagine"


class Links(HTMLParser):
    """The ids of a page, and what it links to and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src") and value:
                self.links.append(value)


async def test_the_page_shows_every_endpoint_and_loads_nothing_from_afar(service: Served) -> None:
    answer = await service.client.get("/docs")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    page = Links()
    page.feed(answer.text)
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        assert link.startswith(("/", "#"))
        if link.startswith("#"):
            assert link[1:] in page.ids
    for endpoint in service.gate.registry.endpoints:
        assert f"<code>{endpoint.path}</code>" in answer.text
    assert "{{" not in answer.text
    assert "<script" not in answer.text


async def test_the_reference_needs_no_key_and_is_not_limited(service: Served) -> None:
    for path in ("/docs", "/openapi.json"):
        answer = await service.client.get(path)
        assert answer.status_code == 200
        assert "x-ratelimit-limit" not in answer.headers


def test_an_endpoint_is_declared_once() -> None:
    [first, *_] = Things().endpoints()
    with pytest.raises(ValueError, match=f"{first.method} {first.path} is declared twice"):
        Registry([first, first])


def test_a_path_without_parameters_goes_before_one_with() -> None:
    things = Things()

    def endpoint(path: str) -> Endpoint:
        return Endpoint(
            family=Family.F2, method="GET", path=path, summary="", handler=things.one, answers={200: None}, limit="read"
        )

    registry = Registry([endpoint("/api/things/{thing}"), endpoint("/api/things/all")])
    for path, expected in (("/api/things/all", {}), ("/api/things/x", {"thing": "x"}), ("/api/things/x/y", None)):
        found = registry.find(path)
        assert (found[1] if found else None) == expected
    literal = registry.find("/api/things/{thing}")
    assert literal is not None
    assert literal[1] == {"thing": "{thing}"}
