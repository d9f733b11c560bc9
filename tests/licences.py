"""docs/licences.md: its tables are made from the lock file, the installed packages and the manifest of models.

`python -m tests.licences write` brings the file up to date; a test fails while it is not.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from media.models.manifest import default_manifest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "licences.md"
LOCK = ROOT / "requirements.lock"

SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
}
"""What packages write, as SPDX writes it."""

KNOWN = {
    "espeakng-loader": (
        "GPL-3.0-or-later",
        "eSpeak NG's library and data; the loader itself states no licence; see below",
    ),
    "num2words": ("LGPL-2.1-or-later", "Python source, unchanged, replaceable"),
    "av": ("BSD-3-Clause; carries GPL-2.0-or-later", "FFmpeg with x264 and x265; see below"),
    "soxr": ("LGPL-2.1-or-later", "libsoxr, a shared library of its own, replaceable"),
    "opencv-python-headless": (
        "Apache-2.0; carries LGPL-2.1-or-later",
        "FFmpeg, as shared libraries of its own, unused",
    ),
    "uvloop": ("MIT OR Apache-2.0", ""),
    "scipy": (
        "BSD-3-Clause",
        "its wheel carries OpenBLAS (BSD-3-Clause) and libgfortran (GPL-3.0 with runtime exception)",
    ),
    "async-timeout": ("Apache-2.0", "only with Python 3.11.0 to 3.11.2"),
    "ctranslate2": ("MIT", "on x86-64 its wheel carries Intel MKL (Intel Simplified Software License) and oneDNN"),
    "numpy": (
        "BSD-3-Clause",
        "its wheel carries OpenBLAS (BSD-3-Clause) and libgfortran (GPL-3.0 with runtime exception)",
    ),
}
"""Packages whose metadata do not say it all: licence, and what there is to know."""

SHIPPED_ON = {
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "python_version": "3.11",
    "python_full_version": "3.11.0",
}


class UnknownLicence(Exception):
    """A package says nothing of its licence: look it up and add it to KNOWN."""


def dependencies() -> list[str]:
    """Names of the packages that an installation on Linux gets, in order."""
    names: list[str] = []
    for line in LOCK.read_text("utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            requirement = Requirement(line.removesuffix("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate(SHIPPED_ON):
                names.append(canonicalize_name(requirement.name))
    return names


def licence_of(name: str) -> tuple[str, str]:
    """A package's licence and what there is to know of it. Raises `UnknownLicence`."""
    if name in KNOWN:
        return KNOWN[name]
    try:
        data = metadata(name)
    except PackageNotFoundError:
        raise UnknownLicence(f"{name} is locked but not installed") from None
    written = next((data[field] for field in ("License-Expression", "License") if field in data), "")
    if not written or len(written) > 60:
        classes = [text.rpartition("::")[2].strip() for text in data.get_all("Classifier") or []]
        written = next((text for text in classes if text in SPELLINGS), "")
    if not written:
        raise UnknownLicence(f"{name} does not say its licence")
    return SPELLINGS.get(written, written), ""


def render(document: str) -> str:
    """The document with its tables made anew."""
    packages = ["| package | licence | |", "|---|---|---|"]
    packages += [f"| {name} | {' | '.join(licence_of(name))} |" for name in dependencies()]
    models = ["| model | licence | what it comes from | fetched |", "|---|---|---|---|"]
    for model in default_manifest().models.values():
        when = "by default" if model.required else "when asked for"
        models.append(f"| {model.name} | {model.licence} | {model.lineage} | {when} |")
    return _replace(_replace(document, "packages", packages), "models", models)


def _replace(document: str, name: str, lines: list[str]) -> str:
    begin, end = f"<!-- {name}: made by tests/licences.py -->", f"<!-- end of {name} -->"
    head, found, rest = document.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{DOCUMENT} lacks {begin} or {end}")
    return "\n".join([head + begin, *lines, end + tail])


if __name__ == "__main__":
    if sys.argv[1:] != ["write"]:
        sys.exit("usage: python -m tests.licences write")
    DOCUMENT.write_text(render(DOCUMENT.read_text("utf-8")), "utf-8")
