from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from media.avatar.errors import PackInvalid
from media.avatar.pack import load_pack, remove_pack, save_pack, zip_pack
from tests.media.avatar.faces import drawn_pack


def test_a_pack_is_read_as_it_was_written(tmp_path: Path) -> None:
    pack = drawn_pack()
    save_pack(pack, tmp_path / "anna")
    again = load_pack(tmp_path / "anna")
    assert np.array_equal(again.portrait, pack.portrait)
    assert np.array_equal(again.landmarks, pack.landmarks)
    assert (again.name, again.warnings, again.digest) == (pack.name, pack.warnings, pack.digest)
    assert [p.name for p in tmp_path.iterdir()] == ["anna"]  # no scratch left


def test_a_pack_replaces_a_pack_but_nothing_else(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "a")
    save_pack(drawn_pack(parted=10.0), tmp_path / "a")
    assert load_pack(tmp_path / "a").digest == drawn_pack(parted=10.0).digest
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.txt").write_text("mine")
    with pytest.raises(PackInvalid, match="no avatar pack"):
        save_pack(drawn_pack(), tmp_path / "photos")
    with pytest.raises(PackInvalid, match="no avatar pack"):
        remove_pack(tmp_path / "photos")
    assert (tmp_path / "photos" / "x.txt").exists()


@pytest.mark.parametrize("name", ["portrait.png", "geometry.npz"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    save_pack(drawn_pack(), tmp_path / "a")
    data = bytearray((tmp_path / "a" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "a" / name).write_bytes(data)
    with pytest.raises(PackInvalid, match=name):
        load_pack(tmp_path / "a")


def test_a_pack_of_another_version_says_so(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "a")
    path = tmp_path / "a" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"format": 99}), "utf-8")
    with pytest.raises(PackInvalid, match="format 99"):
        load_pack(tmp_path / "a")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', '{"format": 1, "files": {}}'])
def test_a_broken_manifest_is_refused(tmp_path: Path, text: str) -> None:
    save_pack(drawn_pack(), tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(PackInvalid):
        load_pack(tmp_path / "a")


def test_what_is_not_there_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(PackInvalid, match="cannot be read"):
        load_pack(tmp_path / "nobody")
    remove_pack(tmp_path / "nobody")


def test_a_pack_can_be_sent_as_one_file(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "a")
    with zipfile.ZipFile(io.BytesIO(zip_pack(tmp_path / "a"))) as archive:
        archive.extractall(tmp_path / "b")
    assert load_pack(tmp_path / "b").digest == drawn_pack().digest
