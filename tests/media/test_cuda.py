from __future__ import annotations

import onnxruntime as ort
import pytest

from media import cuda
from media.cuda import CPU, CUDA, usable


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(cuda, "load_libraries", lambda: calls.append("loaded"))
    return calls


def test_cuda_comes_first_where_there_is_a_gpu(loaded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "gpus", lambda: 1)
    assert usable((CUDA, CPU)) == [CUDA, CPU]
    assert loaded == ["loaded"]


def test_without_a_gpu_the_processor_is_used_and_no_library_is_loaded(
    loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "gpus", lambda: 0)
    assert usable((CUDA, CPU)) == usable((CUDA,)) == [CPU]
    assert not loaded


def test_who_asks_for_the_processor_gets_it_even_beside_a_gpu(
    loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "gpus", lambda: 2)
    assert usable((CPU,)) == [CPU]
    assert not loaded


def test_a_provider_that_is_not_built_in_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    monkeypatch.setattr(cuda, "gpus", lambda: 1)
    assert usable((CUDA, CPU)) == [CPU]


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", absent)
    cuda.gpus.cache_clear()
    try:
        assert cuda.gpus() == 0
    finally:
        cuda.gpus.cache_clear()
