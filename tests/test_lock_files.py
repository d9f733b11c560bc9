"""The lock files hold what pyproject.toml asks for, and nothing of the machine they were made on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("requirements.lock", "requirements-gpu.lock", "requirements-dev.lock")


def locked(name: str) -> dict[str, str]:
    """Packages of a lock file and their versions."""
    lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if re.match(r"[A-Za-z0-9]", line)]
    found = [Requirement(line.removesuffix("\\").strip()) for line in lines]
    return {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in found}


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_file_names_no_place_to_fetch_from(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for trace in ("://", "--index", "--extra-index", "--find-links", " @ "):
        assert trace not in text


def test_what_is_asked_for_is_locked_in_a_version_that_fits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-dev.lock": [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]],
    }
    for name, requirements in asked.items():
        versions = locked(name)
        for text in requirements:
            requirement = Requirement(text)
            version = versions.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement.name} is not in {name}: run make lock"
            assert requirement.specifier.contains(version), f"{requirement.name} in {name}: run make lock"


def test_development_uses_the_versions_that_run() -> None:
    development = locked("requirements-dev.lock")
    assert {name: development.get(name) for name in locked("requirements.lock")} == locked("requirements.lock")


def test_the_gpu_lock_file_differs_by_the_runtime_and_its_libraries_only() -> None:
    usual, gpu = locked("requirements.lock"), locked("requirements-gpu.lock")
    assert set(usual) - set(gpu) == {"onnxruntime"}
    added = set(gpu) - set(usual)
    assert "onnxruntime-gpu" in added
    assert all(name.startswith("nvidia-") for name in added - {"onnxruntime-gpu"})
    assert {name: gpu[name] for name in set(usual) & set(gpu)} == {n: usual[n] for n in set(usual) & set(gpu)}


def test_one_cuda_serves_both_the_runtime_and_the_recogniser() -> None:
    """CTranslate2 opens libcublas.so.12 by name; a runtime of another CUDA would bring another one only."""
    gpu = locked("requirements-gpu.lock")
    for library in ("cublas", "cuda-runtime", "cudnn", "cufft", "curand"):
        assert f"nvidia-{library}-cu12" in gpu
    assert not [name for name in gpu if name.endswith("-cu13")]


def test_the_gpu_lock_file_is_locked_as_asked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    gpu = locked("requirements-gpu.lock")
    for text in project["dependency-groups"]["gpu"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(gpu[canonicalize_name(requirement.name)])
