"""Whether there is an NVIDIA GPU, and CUDA's own libraries, which come as packages and lie where no loader looks."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence

import onnxruntime as ort

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"


def usable(providers: Sequence[str]) -> list[str]:
    """Those of onnxruntime's `providers` that can be used here, in order; the processor where none can.

    CUDA is one of them where `onnxruntime-gpu` is installed and there is a GPU; its libraries are then loaded.
    """
    there = set(ort.get_available_providers())
    if CUDA in providers and CUDA in there:
        if gpus():
            load_libraries()
        else:  # a session would try, fail, and say so at length on standard output
            there.discard(CUDA)
    return [name for name in providers if name in there] or [CPU]


@functools.cache
def gpus() -> int:
    """How many GPUs the driver lists; 0 without one."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


@functools.cache
def load_libraries() -> None:
    """Load cuBLAS, cuDNN and the others from the packages of `requirements-gpu.lock`, once a process.

    onnxruntime and CTranslate2 then find them by name. Does nothing without `onnxruntime-gpu`.
    """
    if CUDA in ort.get_available_providers() and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
