"""What make would do to change between the two onnxruntimes, without doing it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="needs make, and Linux on x86-64 for GPU=1",
)


def would_run(*arguments: str, venv: Path) -> str:
    command = ["make", "--dry-run", "--no-print-directory", f"VENV={venv}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    (tmp_path / "pyvenv.cfg").write_text("", "utf-8")
    return tmp_path


def test_each_flavour_installs_its_own_lock_file_and_removes_the_other_first(venv: Path) -> None:
    usual, gpu = would_run("serve", venv=venv), would_run("GPU=1", "serve", venv=venv)
    assert "--requirement requirements.lock" in usual
    assert "--requirement requirements-gpu.lock" in gpu
    for text, other in ((usual, "onnxruntime-gpu"), (gpu, "onnxruntime")):
        assert f"pip show --quiet {other} " in text
        assert text.index("uninstall --quiet --yes onnxruntime onnxruntime-gpu") < text.index("--requirement")
        assert "--no-deps" in text
        assert "--require-hashes" in text


def test_what_is_installed_is_not_installed_again_and_removing_takes_every_stamp(venv: Path) -> None:
    (venv / ".runtime").touch()
    usual, gpu = would_run("serve", venv=venv), would_run("GPU=1", "serve", venv=venv)
    assert "--requirement" not in usual
    removed = next(line for line in gpu.splitlines() if "rm -f" in line)
    assert all(f"{venv}/{name}" in removed for name in (".runtime", ".dev", ".runtime-gpu", ".dev-gpu"))


def test_development_with_a_gpu_ends_with_the_gpus_packages(venv: Path) -> None:
    text = would_run("GPU=1", "check", venv=venv)
    assert text.index("--requirement requirements-dev.lock") < text.index("--requirement requirements-gpu.lock")
    assert "onnxruntime-gpu" in text[text.index("--requirement requirements-dev.lock") :]
