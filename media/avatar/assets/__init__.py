"""The demo agent's portrait, `mira.webp`: an original illustration of nobody, painted by `paint.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DEMO_PORTRAIT: Final = Path(__file__).with_name("mira.webp")
"""1024×1024 WebP."""
