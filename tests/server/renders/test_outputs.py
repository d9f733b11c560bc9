"""Keys of outputs, and the voices that are on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.renders.outputs import PICTURE, SOUND, VIDEO, avatar_key, output_key, talking_key, voice_metadata
from server.renders.voices import voices_here
from server.storage.keys import is_key

JOB = "468ea7a0-66e1-4357-a760-236e54167f3e"


def test_keys_are_what_storage_takes_and_what_the_documents_say() -> None:
    keys = [
        output_key(JOB, "voice", SOUND),
        output_key("video_0123456789abcdef", "poster", PICTURE),
        talking_key(JOB, JOB),
        avatar_key("avatar_0123456789abcdef", PICTURE),
    ]
    assert all(is_key(key) for key in keys)
    assert talking_key(JOB, "one", VIDEO) == f"ai-talking-videos/{JOB}/outputs/one.mp4"
    assert keys[0] == f"outputs/{JOB}/voice.wav"


@pytest.mark.parametrize("segment", ["", "..", "a/b", "a.b", "x" * 65, "ü"])
def test_nothing_that_leads_elsewhere_becomes_part_of_a_key(segment: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a storage key"):
        output_key(segment, "video", VIDEO)
    with pytest.raises(ValueError, match="cannot be part of a storage key"):
        talking_key(segment, JOB)


def test_metadata_name_what_was_asked_for_and_what_ran() -> None:
    assert voice_metadata(model="fish-audio-s1", engine="piper-joe", seconds=1.239, language="en") == {
        "model": "fish-audio-s1",
        "engine": "piper-joe",
        "durationSeconds": 1.24,
        "language": "en",
    }


def test_the_default_voice_speaks_what_its_name_or_its_file_says(tmp_path: Path) -> None:
    assert voices_here("piper-joe").default_language == "en"
    assert voices_here("kokoro:if_sara").default_language == "it"
    config = {"audio": {"sample_rate": 22050}, "espeak": {"voice": "de"}, "phoneme_id_map": {}}
    config["phoneme_id_map"] = {symbol: [number] for number, symbol in enumerate("_^$a")}
    (tmp_path / "own.onnx.json").write_text(json.dumps(config))
    own = voices_here(f"{tmp_path}/own.onnx")
    assert own.default_language == "de"
    assert own.choose(language="de") == f"{tmp_path}/own.onnx"
    assert voices_here(f"{tmp_path}/missing.onnx").default_language == "en"
