"""What the store says of weights that are whole, missing, damaged or changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from media import models
from media.models import ModelDamaged, ModelError, ModelMissing, Store, models_root
from media.models.manifest import default_manifest, load_manifest
from media.models.store import STAMP
from tests.media.models.registry import manifest, model, model_file

DATA = bytes(range(256)) * 40


@pytest.fixture
def store(root: Path) -> Store:
    """A store with two models; the first is there."""
    made = Store(root, manifest(model("one", model_file("a.bin", DATA)), model("two", model_file("b.bin", DATA))))
    made.folder("one").mkdir(parents=True)
    (made.folder("one") / "a.bin").write_bytes(DATA)
    return made


def test_a_whole_model_is_found(store: Store) -> None:
    assert store.model_dir("one") == store.root / "one"


def test_a_missing_model_names_the_command_that_mends_it(store: Store) -> None:
    with pytest.raises(ModelMissing, match=r"model two is not in .*: python -m media\.models fetch two$"):
        store.model_dir("two")


def test_a_damaged_model_names_the_file_and_the_command(store: Store) -> None:
    (store.folder("one") / "a.bin").write_bytes(DATA[:-1] + b"!")
    with pytest.raises(ModelDamaged, match=r"model one: a\.bin is damaged in .*: python -m media\.models fetch one$"):
        store.model_dir("one")


def test_a_verified_file_is_not_hashed_again_until_it_changes(store: Store) -> None:
    path = store.folder("one") / "a.bin"
    store.model_dir("one")
    before = path.stat()
    path.write_bytes(bytes(len(DATA)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.problem("one") is None  # the stamp is believed: same size, same time
    assert isinstance(store.problem("one", rehash=True), ModelDamaged)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert isinstance(store.problem("one"), ModelDamaged)


def test_a_touched_file_is_hashed_again_and_stamped_anew(store: Store) -> None:
    path = store.folder("one") / "a.bin"
    store.model_dir("one")
    first = (store.folder("one") / STAMP).read_text()
    os.utime(path, ns=(1, 1))
    store.model_dir("one")
    assert (store.folder("one") / STAMP).read_text() != first


def test_a_stamp_that_makes_no_sense_is_ignored(store: Store) -> None:
    for nonsense in ("", "[]", '{"a.bin": 1}', "\x00"):
        (store.folder("one") / STAMP).write_text(nonsense)
        assert store.problem("one") is None


def test_other_weights_in_the_manifest_make_the_old_ones_damaged(store: Store) -> None:
    store.model_dir("one")
    newer = Store(store.root, manifest(model("one", model_file("a.bin", DATA[::-1]))))
    assert isinstance(newer.problem("one"), ModelDamaged)


def test_status_lists_only_problems(store: Store) -> None:
    assert store.status(["one"]) == {}
    assert list(store.status(["one", "two"])) == ["two"]


def test_require_names_every_model_and_one_command(store: Store) -> None:
    store.require(["one"])
    (store.folder("one") / "a.bin").unlink()
    with pytest.raises(ModelMissing, match=r"models one, two are missing .*: python -m media\.models fetch one two$"):
        store.require(["one", "two"])


def test_derived_files_of_other_weights_lie_elsewhere(store: Store) -> None:
    here = store.derived_dir("one", "split-v1")
    assert here.is_dir()
    assert here == store.derived_dir("one", "split-v1") != store.derived_dir("one", "split-v2")
    newer = Store(store.root, manifest(model("one", model_file("a.bin", DATA[::-1]))))
    assert newer.derived_dir("one", "split-v1") != here


def test_the_models_folder_follows_its_variable_then_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VISAVIS_MODELS_DIR", str(tmp_path / "m"))
    assert models_root() == tmp_path / "m"
    monkeypatch.delenv("VISAVIS_MODELS_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert models_root() == tmp_path / "cache" / "visavis" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models_root() == tmp_path / ".cache" / "visavis" / "models"


def test_the_public_functions_use_the_models_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISAVIS_MODELS_DIR", str(tmp_path))
    assert list(models.status(["silero-vad"])) == ["silero-vad"]
    with pytest.raises(ModelMissing, match="silero-vad"):
        models.model_dir("silero-vad")
    with pytest.raises(ModelMissing):
        models.require(models.default_models())
    assert models.derived_dir("silero-vad", "v1").parent.parent == tmp_path / "derived"


def test_every_model_says_what_it_is_for_and_under_which_licence() -> None:
    for entry in default_manifest().models.values():
        assert entry.purpose, entry.name
        assert entry.licence, entry.name
        assert entry.lineage, entry.name
        assert all(len(file.sha256) == 64 and file.bytes > 0 for file in entry.files), entry.name
        assert entry.hub or all(file.parts for file in entry.files), entry.name
        if entry.hub:
            assert set(entry.hub.paths) <= {file.path for file in entry.files}
            assert len(entry.hub.revision) == 40


def test_the_default_installation_needs_only_python_packages() -> None:
    shipped = default_manifest()
    assert set(shipped.required) == {
        "whisper-base", "silero-vad", "smart-turn", "piper-joe", "smollm2-135m", "minilm", "face-landmarker",
    }  # fmt: skip
    for name in shipped.required:
        parts = [part for file in shipped.models[name].files for part in file.parts]
        assert {shipped.packages[part.package].registry for part in parts} == {"pypi"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("path: ../../a", "leaves the model's folder"),
        ("path: /etc/a", "leaves the model's folder"),
        ("path: a", "comes from pkg, which is not in packages"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "manifest.yaml"
    entry = f"{{{text}, bytes: 1, sha256: x, from: ['pkg:a']}}"
    path.write_text(
        f"packages: {{}}\nmodels:\n  m: {{purpose: p, licence: MIT, lineage: l, files: [{entry}]}}\n", "utf-8"
    )
    with pytest.raises(ValueError, match=complaint):
        load_manifest(path)


def test_an_error_of_any_kind_is_a_model_error() -> None:
    for name in ("ModelDamaged", "ModelFetchFailed", "ModelMissing", "ModelUnknown"):
        assert issubclass(getattr(models, name), ModelError)
