"""The folder that holds the weights: what is there, whether it is whole, and one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from media.models.errors import ModelDamaged, ModelError, ModelMissing
from media.models.manifest import Manifest, Model, ModelFile, default_manifest

STAMP = ".verified.json"
_BLOCK = 1 << 20


def models_root() -> Path:
    """Where weights are kept: VISAVIS_MODELS_DIR, or the user's cache folder."""
    if chosen := os.environ.get("VISAVIS_MODELS_DIR"):
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "visavis" / "models"


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def mending(names: Iterable[str]) -> str:
    """The command that brings these models in order."""
    return f"python -m media.models fetch {' '.join(names)}"


class Store:
    """Models below one folder, each in a folder of its own name.

    A file is hashed once; then a stamp beside it records its size and time of change, so that a later check costs
    one `stat` a file. A file that changed since is hashed again.
    """

    def __init__(self, root: Path | None = None, manifest: Manifest | None = None) -> None:
        self.root = root if root is not None else models_root()
        self.manifest = manifest if manifest is not None else default_manifest()

    def folder(self, name: str) -> Path:
        """Where this model's files belong, there or not."""
        return self.root / self.manifest.model(name).name

    def model_dir(self, name: str) -> Path:
        """The folder of a model whose files are all there and whole.

        Raises `ModelMissing` or `ModelDamaged`, naming the files and the command that mends it.
        """
        if problem := self.problem(name):
            raise problem
        return self.folder(name)

    def derived_dir(self, name: str, version: str) -> Path:
        """A folder, created if need be, for files computed from these weights.

        `version` names how they are computed; other weights under the same name get another folder.
        """
        model = self.manifest.model(name)
        weights = hashlib.sha256("".join(file.sha256 for file in model.files).encode()).hexdigest()[:12]
        folder = self.root / "derived" / name / f"{version}-{weights}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(f"cannot create {folder}: {error.strerror}; is VISAVIS_MODELS_DIR right?") from error
        return folder

    def problem(self, name: str, *, rehash: bool = False) -> ModelError | None:
        """What keeps this model from being used, None if nothing does. `rehash` does not trust the stamp."""
        model = self.manifest.model(name)
        missing, damaged = self.faults(model, rehash=rehash)
        folder = self.folder(name)
        if len(missing) == len(model.files):
            return ModelMissing(f"model {name} is not in {self.root}. Mend it with: {mending([name])}")
        if missing:
            return ModelMissing(f"model {name}: {_few(missing)} missing in {folder}. Mend it with: {mending([name])}")
        if damaged:
            return ModelDamaged(f"model {name}: {_few(damaged)} damaged in {folder}. Mend it with: {mending([name])}")
        return None

    def status(self, names: Iterable[str]) -> dict[str, str]:
        """For each model that cannot be used, why; empty when all can. Cheap while nothing changes on disk."""
        problems = ((name, self.problem(name)) for name in names)
        return {name: str(problem) for name, problem in problems if problem is not None}

    def require(self, names: Iterable[str]) -> None:
        """Raise unless all these models can be used: one error that names every model and one command."""
        problems = {name: problem for name in names if (problem := self.problem(name)) is not None}
        if len(problems) == 1:
            raise next(iter(problems.values()))
        if problems:
            kind = ModelMissing if all(isinstance(p, ModelMissing) for p in problems.values()) else ModelDamaged
            raise kind(
                f"models {', '.join(problems)} are missing or damaged in {self.root}. Mend them with: "
                f"{mending(problems)}"
            )

    def faults(self, model: Model, *, rehash: bool = False) -> tuple[list[str], list[str]]:
        """Paths of the files that are missing, and of those that are not what the manifest says."""
        folder = self.root / model.name
        stamps = {} if rehash else self._read_stamps(folder)
        known: dict[str, list[object]] = {}
        missing: list[str] = []
        damaged: list[str] = []
        for file in model.files:
            try:
                state = (folder / file.path).stat()
            except OSError:
                missing.append(file.path)
                continue
            stamp = [state.st_size, state.st_mtime_ns, file.sha256]
            if stamps.get(file.path) == stamp or _matches(folder / file.path, state.st_size, file):
                known[file.path] = stamp
            else:
                damaged.append(file.path)
        if known != stamps and folder.is_dir():
            self._write_stamps(folder, known)
        return missing, damaged

    @contextlib.contextmanager
    def lock(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the folder for writing; a second process or thread waits, after a call of `on_wait`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = (self.root / ".lock").open("w")
        except OSError as error:
            raise ModelError(
                f"cannot write to {self.root}: {error.strerror}; choose another folder with VISAVIS_MODELS_DIR"
            ) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if on_wait is not None:
                    on_wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _read_stamps(folder: Path) -> dict[str, list[object]]:
        try:
            stamps = json.loads((folder / STAMP).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return stamps if isinstance(stamps, dict) else {}

    @staticmethod
    def _write_stamps(folder: Path, stamps: dict[str, list[object]]) -> None:
        partial = folder / f"{STAMP}.{os.getpid()}"
        with contextlib.suppress(OSError):  # a read-only folder is used all the same, only hashed at every start
            partial.write_text(json.dumps(stamps), "utf-8")
            partial.replace(folder / STAMP)


def _matches(path: Path, size: int, file: ModelFile) -> bool:
    try:
        return size == file.bytes and sha256_of(path) == file.sha256
    except OSError:
        return False


def _few(paths: list[str]) -> str:
    shown = ", ".join(paths[:3])
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return f"{shown}{more} {'is' if len(paths) == 1 else 'are'}"
