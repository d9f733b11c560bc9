"""CUDA's own libraries, which come as packages and lie where no loader looks for them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import onnxruntime as ort

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"


def usable(providers: Sequence[str]) -> list[str]:
    """Those of onnxruntime's `providers` that are built into this installation; the processor where none is.

    Where CUDA is among them its libraries are loaded. Whether there is a GPU shows when a session is made: onnxruntime
    falls back to the processor without one.
    """
    there = ort.get_available_providers()
    found = [name for name in providers if name in there] or [CPU]
    if CUDA in found:
        load_libraries()
    return found


@functools.cache
def load_libraries() -> None:
    """Load cuBLAS, cuDNN and the others from the packages of `requirements-gpu.lock`, once a process.

    onnxruntime and CTranslate2 then find them by name. Does nothing without `onnxruntime-gpu`.
    """
    if CUDA in ort.get_available_providers() and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
