"""Checkpoints of strangers: tensors come out, nothing else happens."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.speech.speaker.checkpoint import CheckpointUnreadable, read_checkpoint
from tests.media.speech.speaker.checkpoints import checkpoint

HEAD = b"".join(pickle.dumps(p, protocol=2) for p in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))


def test_tensors_come_out_as_they_went_in() -> None:
    rng = np.random.default_rng(0)
    weights = {
        "a": rng.normal(size=(3, 5)).astype(np.float32),
        "turned": rng.normal(size=(4, 2)).astype(np.float32),
        "one": np.ones((1,), np.float32),
    }
    found = read_checkpoint(checkpoint(weights), "model_state")
    assert list(found) == list(weights)
    for name, values in weights.items():
        assert np.array_equal(found[name], values)


class Deed:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def test_what_a_checkpoint_asks_for_is_not_done(tmp_path: Path) -> None:
    evil = HEAD + pickle.dumps({"model_state": Deed(tmp_path / "done")}, protocol=2)
    with pytest.raises(CheckpointUnreadable, match="asks for"):
        read_checkpoint(evil, "model_state")
    assert not (tmp_path / "done").exists()


def test_even_the_header_may_not_ask_for_anything(tmp_path: Path) -> None:
    with pytest.raises(CheckpointUnreadable, match="asks for"):
        read_checkpoint(pickle.dumps(Deed(tmp_path / "done")), "model_state")
    assert not (tmp_path / "done").exists()


def test_a_tensor_cannot_reach_beyond_its_storage() -> None:
    data = checkpoint({"a": np.arange(6, dtype=np.float32)})
    longer = data.replace(b"K\x06\x85", b"K\x20\x85", 1)  # its shape: six to thirty-two
    assert longer != data
    with pytest.raises(CheckpointUnreadable, match="beyond its storage"):
        read_checkpoint(longer, "model_state")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a newer checkpoint is a zip", HEAD, pickle.dumps([1, 2])])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(CheckpointUnreadable):
        read_checkpoint(data, "model_state")


def test_a_key_that_is_not_there_is_named() -> None:
    with pytest.raises(CheckpointUnreadable, match="weights"):
        read_checkpoint(checkpoint({"a": np.ones(2, np.float32)}), "weights")


@given(st.data())
def test_damage_is_an_error_or_harmless(data: st.DataObject) -> None:
    whole = checkpoint({"a": np.arange(4, dtype=np.float32), "b": np.ones((2, 2), np.float32)})
    place = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    spoilt = whole[:place] if cut else whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    try:
        found = read_checkpoint(spoilt, "model_state")
    except CheckpointUnreadable:
        return
    assert all(values.dtype == np.float32 for values in found.values())
