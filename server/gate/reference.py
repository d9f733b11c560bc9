"""`/openapi.json`, and `/docs`: the same for people, as plain HTML that needs no script and nothing from afar."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from server.web.assets import Assets
from server.web.pages import PAGES

POLICY: Final = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_ASSET: Final = re.compile(r"\{\{([^{}]+)\}\}")
_SHOWN: Final = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")


def reference_routes(document: Mapping[str, Any], assets: Assets | None = None) -> list[BaseRoute]:
    """Routes of an OpenAPI document and of the page that shows it."""
    machine = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    page = _page(document, assets or Assets())

    async def openapi(_request: Request) -> Response:
        return Response(machine, media_type="application/json", headers={"cache-control": "no-cache"})

    async def docs(_request: Request) -> Response:
        return HTMLResponse(page, headers={"content-security-policy": POLICY, "cache-control": "no-cache"})

    return [Route("/openapi.json", openapi, name="openapi"), Route("/docs", docs, name="docs")]


def _page(document: Mapping[str, Any], assets: Assets) -> str:
    source = (PAGES / "reference.html").read_text(encoding="utf-8")
    source = _ASSET.sub(lambda match: assets.url(match[1].strip()), source)
    contents, articles = [], []
    for tag in document["tags"]:
        operations = [
            (path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
        if not operations:
            continue
        links = "".join(
            f'<li><a href="#{_text(operation["operationId"])}">{_text(operation["summary"])}</a></li>'
            for _, _, operation in operations
        )
        contents.append(f"<h2>{_text(tag['name'])}</h2><ul>{links}</ul>")
        shown = "".join(_article(document, *operation) for operation in operations)
        articles.append(f"<section><h2>{_text(tag['name'])}</h2>{shown}</section>")
    return source.replace("<!-- contents -->", "".join(contents)).replace("<!-- endpoints -->", "".join(articles))


def _article(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f'<article id="{_text(operation["operationId"])}">',
        f'<h3><span class="method">{method.upper()}</span> <code>{_text(path)}</code></h3>',
        f"<p>{_text(operation['summary'])}. {_text(operation['description'])}</p>",
    ]
    parameters = [
        (parameter["name"], parameter["schema"], parameter["required"], parameter["in"])
        for parameter in operation.get("parameters", ())
    ]
    if parameters:
        parts.append(_table(document, "Parameters", parameters))
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(document, content["schema"])
        properties = schema.get("properties", {"(the body)": schema})
        required = schema.get("required", properties if "properties" not in schema else ())
        fields = [(name, shape, name in required, "") for name, shape in properties.items()]
        parts.append(_table(document, f"Body ({kind})", fields))
        if "example" in content:
            parts.append(_json(content["example"]))
    answers = [
        f"<tr><td>{_text(status)}</td><td>{_text(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    ]
    parts.append(f"<table><caption>Answers</caption>{''.join(answers)}</table></article>")
    return "".join(parts)


def _table(document: Mapping[str, Any], caption: str, fields: list[tuple[str, Any, bool, str]]) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(name)}</code></td><td>{'required' if required else 'optional'} {_text(where)}</td>"
        f"<td>{_text(_shape(document, schema))}</td></tr>"
        for name, schema, required, where in fields
    )
    return f"<table><caption>{_text(caption)}</caption>{rows}</table>"


def _shape(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema in words."""
    schema = _resolved(document, schema)
    if "anyOf" in schema:
        return " or ".join(_shape(document, option) for option in schema["anyOf"])
    if "enum" in schema:
        said = " | ".join(str(value) for value in schema["enum"])
    elif "const" in schema:
        said = str(schema["const"])
    elif schema.get("type") == "array":
        said = f"list of {_shape(document, schema.get('items', {}))}"
    else:
        said = str(schema.get("type", "anything"))
    bounds = [f"{name} {schema[name]}" for name in _SHOWN if name in schema]
    default = [f"= {json.dumps(schema['default'])}"] if schema.get("default") is not None else []
    return ", ".join([said, *bounds, *default])


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _json(value: Any) -> str:
    return f"<pre>{_text(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _text(value: str) -> str:
    return html.escape(str(value))
