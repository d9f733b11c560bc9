"""OpenAPI 3.1 of all endpoints, from the registry that also makes their routes."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.errors import CODES
from server.gate.families import Family
from server.gate.registry import Endpoint, Registry

API_VERSION: Final = "1.0.0"
REF: Final = "#/components/schemas/{model}"

_MEANINGS = {
    401: "Missing or invalid API key.",
    402: "Insufficient credits.",
    403: "Not available on this plan, or no engine is configured for it.",
    404: "There is no such thing, or it belongs to another account.",
    408: "The request took too long to arrive.",
    409: "The Idempotency-Key was used for another request, or the state of things does not allow it.",
    413: "The body is too large.",
    415: "The body is of the wrong type.",
    429: "Too many requests: Retry-After says how many seconds to wait.",
    500: "A fault of the server. Credits that were taken are given back.",
    503: "Not available at the moment: try again with backoff.",
}
_LIMIT_HEADERS = {
    "X-RateLimit-Limit": "Requests of the limit that binds: the day's quota or the endpoint's window.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "When it begins anew, in Unix seconds.",
}


def openapi(registry: Registry, *, url: str) -> dict[str, Any]:
    """The whole document; `url` is the server's public address."""
    models = _models(registry.endpoints)
    references, definitions = models_json_schema(sorted(models, key=lambda pair: pair[0].__name__), ref_template=REF)
    paths: dict[str, Any] = {}
    for endpoint in registry.endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, dict(references))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Visavis",
            "version": API_VERSION,
            "description": "Talking avatars, voices and voice agents. Every endpoint takes the API key in any of the "
            "three headers; errors are {error, code}, and {error, code, details} below /v1/agent.",
        },
        "servers": [{"url": url}],
        "security": [{"bearer": []}, {"apiSecret": []}, {"apiKey": []}],
        "tags": [{"name": family.value.title, "description": ", ".join(family.value.prefixes)} for family in Family],
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), **_error_schemas()},
            "headers": {
                name: {"description": text, "schema": {"type": "integer"}} for name, text in _LIMIT_HEADERS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiSecret": {"type": "apiKey", "in": "header", "name": "api-secret"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _models(endpoints: Iterable[Endpoint]) -> set[tuple[type[BaseModel], Any]]:
    found: set[tuple[type[BaseModel], Any]] = set()
    for endpoint in endpoints:
        found |= {(model, "validation") for model in (endpoint.body, endpoint.query) if model is not None}
        found |= {(model, "serialization") for model in endpoint.answers.values() if model is not None}
    return found


def _operation(endpoint: Endpoint, references: dict[Any, Any]) -> dict[str, Any]:
    description = " ".join(
        text
        for text in (
            endpoint.description,
            f"Price: {endpoint.price}." if endpoint.price else "",
            f"Needs the {endpoint.least} plan." if endpoint.least else "",
            f"Window: {endpoint.limit}.",
        )
        if text
    )
    made: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "description": description,
        "tags": [endpoint.family.value.title],
        "responses": _responses(endpoint, references),
    }
    if parameters := _parameters(endpoint):
        made["parameters"] = parameters
    if endpoint.body is not None:
        content: dict[str, Any] = {"schema": references[endpoint.body, "validation"]}
        if endpoint.example is not None:
            content["example"] = dict(endpoint.example)
        made["requestBody"] = {"required": True, "content": {"application/json": content}}
    elif endpoint.takes:
        made["requestBody"] = {"required": True, "content": {endpoint.takes: {"schema": {"type": "string"}}}}
    elif endpoint.multipart:
        file = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
        made["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": file}}}
    return made


def _operation_id(endpoint: Endpoint) -> str:
    words = [part.strip("{}").replace("-", "_") for part in endpoint.path.split("/") if part]
    return "_".join([endpoint.method.lower(), *words])


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in endpoint.parameters
    ]
    if endpoint.query is not None:
        schema = endpoint.query.model_json_schema(ref_template=REF)
        for name, shape in schema.get("properties", {}).items():
            required = name in schema.get("required", ())
            found.append({"name": name, "in": "query", "required": required, "schema": _not_null(shape)})
    if endpoint.paid:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key and body get the same answer for 24 hours, and are paid for once.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        )
    return found


def _not_null(shape: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what may be left out is simply not there."""
    options = [option for option in shape.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) != 1:
        return shape
    kept = {name: value for name, value in shape.items() if name not in ("anyOf", "default")}
    return {**kept, **options[0]}


def _responses(endpoint: Endpoint, references: dict[Any, Any]) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS}
    found: dict[str, Any] = {}
    for status, model in endpoint.answers.items():
        found[str(status)] = {"description": HTTPStatus(status).phrase, "headers": headers}
        if model is not None:
            found[str(status)]["content"] = {"application/json": {"schema": references[model, "serialization"]}}
    schema = "DetailedError" if endpoint.family.value.details else "Error"
    for status in sorted(endpoint.statuses - endpoint.answers.keys()):
        found[str(status)] = {
            "description": _MEANINGS.get(status, "Invalid input: the text names the field."),
            "headers": headers,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }
    return found


def _error_schemas() -> dict[str, Any]:
    text = {"type": "string"}
    code = {"type": "string", "examples": sorted(set(CODES.values()))}
    plain = {
        "type": "object",
        "required": ["error", "code"],
        "properties": {"error": text, "code": code, "reason": text},
    }
    detailed = {
        "type": "object",
        "required": ["error", "code", "details"],
        "properties": {"error": text, "code": code, "details": text},
    }
    return {"Error": plain, "DetailedError": detailed}
