"""What request models are made of, and how their errors read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from server.gate.errors import Invalid

Model = TypeVar("Model", bound=BaseModel)

MAX_SHOWN = 5
"""Problems that one answer names."""


class RequestModel(BaseModel):
    """The body of a request: types as JSON has them (no "1" for 1), fields we do not know are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, str_strip_whitespace=False)


class CamelRequest(RequestModel):
    """The same, with names in camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)


class QueryModel(BaseModel):
    """The parameters of a query: texts that become what the fields say."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AnswerModel(BaseModel):
    """The body of an answer, with names in camelCase on the wire; made by field name, dumped by alias."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class SnakeAnswer(BaseModel):
    """The body of an answer of the families that write snake_case."""


# What is a space differs between the dialects of regular expressions that validate it here and read it elsewhere:
# a text says something if it has a character that is none in any of them.
_SAYS_SOMETHING = r"[^\s\x1c-\x1f\x85\uFEFF]"
_URL = r"^[hH][tT][tT][pP][sS]?://[^\s/?#\\]+[^\s\\]*$"
_IDENTIFIER = r"^[A-Za-z0-9._:-]+$"
_LANGUAGE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
_FORMS = {
    _SAYS_SOMETHING: "must not be blank",
    _URL: "must be an https:// URL",
    _IDENTIFIER: "must be an id: letters, digits and . _ : -",
    _LANGUAGE: "must be a language such as en or en-US (BCP 47)",
}

Whole = int
"""An integer; add `Field(ge=…, le=…)`. 4.0 counts as one, see `server.gate.body`."""
Said = Annotated[str, StringConstraints(min_length=1, pattern=_SAYS_SOMETHING)]
"""A text that says something; add `Field(max_length=…)`."""
NAMES_SOMETHING: Final = "names something elsewhere"
"""Marks the fields whose URLs the fetcher's check is for."""
Url = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=_URL),
    Field(json_schema_extra={"format": "uri"}),
    NAMES_SOMETHING,
]
"""A URL in form only: whether it may be fetched (https, public) is for the fetcher's check, which knows settings."""
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_IDENTIFIER)]
"""An id of ours or of a catalogue."""
Language = Annotated[str, StringConstraints(max_length=35, pattern=_LANGUAGE)]
"""BCP 47 or ISO 639-1."""


def urls_of(request: BaseModel) -> list[tuple[str, str]]:
    """Every `Url` that a request holds, after its field's name on the wire."""
    found: list[tuple[str, str]] = []
    for name, field in type(request).model_fields.items():
        if not _is_marked([field.annotation, *field.metadata]):
            continue
        value = getattr(request, name)
        label = field.alias or name
        if isinstance(value, str):
            found.append((label, value))
        elif isinstance(value, list):
            found += [(f"{label}[{index}]", item) for index, item in enumerate(value)]
    return found


def _is_marked(parts: Iterable[Any]) -> bool:
    return any(part == NAMES_SOMETHING or _is_marked(get_args(part)) for part in parts)


def validated(model: type[Model], value: Any) -> Model:
    """The value as this model. Raises `Invalid` that names each wrong field."""
    if not isinstance(value, Mapping):
        raise Invalid("The body must be a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(_problems(error)) from None


def _problems(error: ValidationError) -> str:
    found = [_problem(item) for item in error.errors(include_url=False, include_input=False)]
    shown = "; ".join(dict.fromkeys(found[:MAX_SHOWN]))
    return shown if len(found) <= MAX_SHOWN else f"{shown}; and {len(found) - MAX_SHOWN} more"


def _problem(item: Any) -> str:
    if item["loc"][-1:] == ("[key]",):  # after the name itself, which need not be fit to be shown
        return f"{item['loc'][0]}: a name in it has not the form that is expected"
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
    match item["type"]:
        case "missing":
            return f"{field}: is required"
        case "string_pattern_mismatch":
            text = _FORMS.get(item["ctx"]["pattern"], "has not the form that is expected")
        case "value_error":
            text = str(item["ctx"]["error"])
        case _:
            text = re.sub(r"^(Input|String|List|Value) should ", "must ", item["msg"])
    return f"{field}: {text}" if field else text
