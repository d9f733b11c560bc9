"""Reading the settings: layers of values that each know where they were written, and errors that say so."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import yaml
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from server.settings.model import Settings, TurnSettings
from server.settings.section import Section

DEFAULTS = Path(__file__).resolve().parents[2] / "configs" / "default.yaml"
PREFIX = "VISAVIS_"
ALIASES = {"VISAVIS_PORT": ("server", "port")}
ELSEWHERE = frozenset({"VISAVIS_CONFIG", "VISAVIS_MODELS_DIR"})
"""Variables that are read by others: not settings of this model, and not unknown either."""

Path_ = tuple[str, ...]


class SettingsError(Exception):
    """Settings that cannot be used; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = len(problems)
        head = "1 setting is wrong" if count == 1 else f"{count} settings are wrong"
        super().__init__("\n".join([f"{head}:", *(f"  {problem}" for problem in problems)]))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value and where it was written: file:line, or the variable's name."""

    value: Any
    place: str


Layer = dict[Path_, Leaf]


def load_settings(environ: Mapping[str, str], *, defaults: Path = DEFAULTS) -> Settings:
    """Settings from the defaults' file, the file that VISAVIS_CONFIG names, and the environment, later ones first.

    Empty variables count as not set. Raises `SettingsError` with all problems at once.
    """
    problems: list[str] = []
    layers = [_read_file(defaults, problems)]
    if config := environ.get("VISAVIS_CONFIG"):
        layers.append(_read_file(Path(config).expanduser(), problems))
    layers.append(_read_environment(environ, problems))
    leaves: Layer = {}
    for layer in layers:
        leaves.update(layer)
    if problems:
        raise SettingsError(problems)
    try:
        return Settings.model_validate(_nested(leaves))
    except ValidationError as error:
        lines = [_explain(tuple(str(part) for part in item["loc"]), dict(item), leaves) for item in error.errors()]
        raise SettingsError(list(dict.fromkeys(lines))) from None


def _read_file(path: Path, problems: list[str]) -> Layer:
    try:
        root = yaml.compose(path.read_text("utf-8"), yaml.SafeLoader)
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}")
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problems.append(f"{place} is not YAML: {getattr(error, 'problem', None) or error}")
        return {}
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        problems.append(f"{path}:1 must be a mapping of settings")
        return {}
    layer: Layer = {}
    _collect(root, (), str(path), layer, problems)
    return layer


def _collect(node: yaml.MappingNode, path: Path_, file: str, layer: Layer, problems: list[str]) -> None:
    seen: set[str] = set()
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = f"{file}:{key_node.start_mark.line + 1}"
        if key in seen:
            problems.append(f"{'.'.join((*path, key))} ({place}): is written twice")
        seen.add(key)
        if isinstance(value_node, yaml.MappingNode):
            _collect(value_node, (*path, key), file, layer, problems)
            continue
        value = yaml.SafeLoader("").construct_object(value_node, deep=True)
        if value is not None:
            layer[(*path, key)] = Leaf(value, place)


def _read_environment(environ: Mapping[str, str], problems: list[str]) -> Layer:
    layer: Layer = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in ELSEWHERE or not text:
            continue
        path = ALIASES.get(name) or tuple(name.removeprefix(PREFIX).lower().split("__"))
        value = _split_list(text) if _is_list(_field(path)) else text
        if path in layer and layer[path].value != value:
            problems.append(f"{name} and {layer[path].place} set the same thing differently: remove one of them")
        layer[path] = Leaf(value, name)
    return layer


def _split_list(text: str) -> list[str]:
    return [item.strip() for item in text.removeprefix("[").removesuffix("]").split(",") if item.strip()]


def _nested(leaves: Layer) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path, leaf in sorted(leaves.items(), key=lambda item: len(item[0])):
        section: Any = root
        for key in path[:-1]:
            section = section.setdefault(key, {}) if isinstance(section, dict) else None
        if isinstance(section, dict):  # else a value stands where a section belongs: validation will say so
            section[path[-1]] = leaf.value
    return root


def _explain(path: Path_, error: dict[str, Any], leaves: Layer) -> str:
    """One line for one of pydantic's errors: the setting, what it is, where it stands, what it may be."""
    known = _known(path)
    field = _field(known)
    place = _place(known, leaves)
    where = f" ({place})" if place else ""
    if error["type"] == "extra_forbidden":
        section = _section(path[:-1])
        names = list(section.model_fields) if section else []
        close = difflib.get_close_matches(path[-1], names, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        owner = f"{'.'.join(path[:-1])} has" if path[:-1] else "there are"
        return f"{'.'.join(path)}{where}: is not a setting; {hint}{owner}: {', '.join(names)}"
    secret = field is not None and SecretStr in (field.annotation, *get_args(field.annotation))
    leaf = leaves.get(known)
    shown = f" = {leaf.value!r}" if leaf is not None and not secret and _section(known) is None else ""
    if error["type"] == "value_error":
        message = str(error["ctx"]["error"])
    elif error["type"] == "string_pattern_mismatch":
        message = f"must match {error['ctx']['pattern']}"
    else:
        message = f"must be {_allowed(field)}" if field is not None else str(error["msg"]).lower()
    return f"{'.'.join(known)}{shown}{where}: {message}"


def _known(path: Path_) -> Path_:
    """The part of an error's location that names a setting: list positions and union branches come after it."""
    for length in range(1, len(path)):
        if _section(path[:length]) is None:
            return path[:length]
    return path


def _section(path: Path_) -> type[Section] | None:
    section: type[Section] = Settings
    for key in path:
        field = section.model_fields.get(key)
        annotation = TurnSettings if key == "turn" else field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, Section)):
            return None
        section = annotation
    return section


def _field(path: Path_) -> FieldInfo | None:
    section = _section(path[:-1])
    return section.model_fields.get(path[-1]) if section else None


def _place(path: Path_, leaves: Layer) -> str:
    if path in leaves:
        return leaves[path].place
    below = [leaf.place for other, leaf in leaves.items() if other[: len(path)] == path]
    return ", ".join(dict.fromkeys(place for place in below if not place.startswith(str(DEFAULTS))))


def _is_list(field: FieldInfo | None) -> bool:
    return field is not None and get_origin(field.annotation) in (list, tuple, frozenset)


def _allowed(field: FieldInfo) -> str:
    """In words, what a setting may be."""
    annotation = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        annotation = next((arm for arm in get_args(annotation) if arm is not type(None)), annotation)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(annotation))
    if _is_list(field):
        lists = {str: "a list of texts", int: "a list of whole numbers", float: "a list of numbers"}
        return lists.get(get_args(annotation)[0], "a list of networks such as 10.0.0.0/8")
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        return ("a whole number" if annotation is int else "a number") + _range(field)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return f"a section with: {', '.join(annotation.model_fields)}"
    return (
        "a text"
        if not any(isinstance(item, annotated_types.MinLen) for item in field.metadata)
        else "a text, not empty"
    )


def _range(field: FieldInfo) -> str:
    low = high = ""
    for item in field.metadata:
        if isinstance(item, annotated_types.Ge):
            low = f" from {item.ge}"
        elif isinstance(item, annotated_types.Gt):
            low = f" above {item.gt}"
        elif isinstance(item, annotated_types.Le):
            high = f" to {item.le}" if "from" in low else f" up to {item.le}"
    return low + high
