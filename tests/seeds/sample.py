"""The code samples of the API's documents, as they stand there but for host names and keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"
BASE_URL = "https://api.example.com"
KEYS = ("YOUR_API_KEY", "YOUR_API_SECRET")


def sample(file: str) -> str:
    """The text of a sample."""
    return (SAMPLES / file).read_text("utf-8")


def sample_json(name: str) -> dict[str, Any]:
    """A sample of a request's body."""
    return dict(json.loads(sample(f"{name}.json")))
