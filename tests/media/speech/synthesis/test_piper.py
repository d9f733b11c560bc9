"""Piper voices: taking the graph apart, and speaking in stretches what whole clauses would have sounded like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from media.speech.synthesis.errors import VoiceFileError
from media.speech.synthesis.model import Sound
from media.speech.synthesis.piper.config import read_config
from media.speech.synthesis.piper.graph import UnknownGraph, split
from media.speech.synthesis.piper.model import PiperModel, load_piper
from tests.media.speech.synthesis.tiny_voice import HOP, RATE, tiny_model, write_voice

SOUNDS = [Sound(c, c if c.isalpha() else "", 0 if c.isalpha() else -1) for c in "hello world, mama." * 6]


def load(folder: Path, *, speakers: bool = False, speaker: str | None = None) -> PiperModel:
    path = write_voice(folder, tiny_model(speakers=speakers), speakers=speakers)
    derived = folder / "derived"
    derived.mkdir(exist_ok=True)
    return load_piper(path, derived, speaker=speaker, deterministic=True)


@pytest.mark.parametrize("speakers", [False, True])
def test_a_graph_is_taken_apart_by_what_it_does(speakers: bool) -> None:
    layout, parts = split(tiny_model(speakers=speakers))
    assert set(parts) == {"encoder", "flow", "decoder"}
    assert (layout.durations, layout.prior, layout.latents) == ("durations", "prior", "latents")
    assert layout.flow_inputs == ("prior", "mask")
    assert layout.decoder_inputs == (("latents", "sid") if speakers else ("latents",))
    assert layout.flow_context == 2
    assert layout.hop == HOP


@pytest.mark.parametrize("speakers", [False, True])
def test_stretches_sound_exactly_like_the_whole(tmp_path: Path, speakers: bool) -> None:
    model = load(tmp_path, speakers=speakers, speaker="bob" if speakers else None)
    whole = model.begin(SOUNDS, speed=1.0)
    expected = whole.render(0, whole.length)
    clause = model.begin(SOUNDS, speed=1.0)
    stops = [clause.length // 5 + 1, clause.length // 2, clause.length]
    pieces = [clause.render(a, b) for a, b in zip([0, *stops], stops, strict=False)]
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-6)


def test_the_parts_together_sound_like_the_voice_as_it_was(tmp_path: Path) -> None:
    model = load(tmp_path)
    clause = model.begin(SOUNDS, speed=1.0)
    ids, _ = model._numbers(SOUNDS)
    voice = ort.InferenceSession(str(tmp_path / "tiny.onnx"))
    feeds = {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array([0.0, 1.0, 0.0], np.float32),
    }
    expected = voice.run(None, {i.name: feeds[i.name] for i in voice.get_inputs()})[0].reshape(-1)
    np.testing.assert_allclose(clause.render(0, clause.length), expected, atol=1e-6)


def test_durations_lead_and_tail_make_up_the_clause(tmp_path: Path) -> None:
    clause = load(tmp_path).begin(SOUNDS, speed=1.0)
    tail = 2 * HOP  # the end symbol's two frames
    assert clause.lead + sum(clause.durations) + tail == clause.length
    assert len(clause.render(0, clause.length)) == clause.length


def test_a_symbol_the_voice_does_not_know_takes_no_time(tmp_path: Path) -> None:
    clause = load(tmp_path).begin([Sound("h", "h", 0), Sound("☃", "☃", 0), Sound("o", "o", 0)], speed=1.0)
    assert [bool(d) for d in clause.durations] == [True, False, True]


def test_speaking_faster_takes_less_time(tmp_path: Path) -> None:
    model = load(tmp_path)
    assert model.begin(SOUNDS, speed=2.0).length < model.begin(SOUNDS, speed=1.0).length


def test_urgent_clauses_begin_with_short_stretches(tmp_path: Path) -> None:
    clause = load(tmp_path).begin(SOUNDS * 20, speed=1.0)
    urgent, patient = clause.chunks(urgent=True), clause.chunks(urgent=False)
    assert urgent[0] < patient[0]
    assert urgent[0] / RATE == pytest.approx(0.3, abs=0.01)
    for stops in (urgent, patient):
        assert stops == sorted(set(stops))
        assert stops[-1] == clause.length
        assert all(stop % HOP == 0 for stop in stops)


def test_speakers_sound_different(tmp_path: Path) -> None:
    ann, bob = (load(tmp_path, speakers=True, speaker=name).begin(SOUNDS, speed=1.0) for name in ("ann", "bob"))
    assert np.abs(ann.render(0, ann.length) - bob.render(0, bob.length)).max() > 0.01


def test_a_graph_of_another_architecture_is_run_whole(tmp_path: Path) -> None:
    model = tiny_model()
    for node in model.graph.node:
        if node.op_type == "RandomNormalLike":
            node.op_type = "Identity"
    with pytest.raises(UnknownGraph, match="RandomNormalLike"):
        split(model)
    path = write_voice(tmp_path, model)
    derived = tmp_path / "derived"
    derived.mkdir()
    voice = load_piper(path, derived)
    clause = voice.begin(SOUNDS, speed=1.0)
    assert not voice.split
    assert clause.chunks(urgent=True) == [clause.length]
    assert len(clause.render(0, clause.length)) == clause.length > 0
    assert clause.lead + sum(clause.durations) <= clause.length


def test_a_voice_is_taken_apart_once(tmp_path: Path) -> None:
    load(tmp_path)
    first = (tmp_path / "derived" / "decoder.onnx").stat().st_mtime_ns
    load(tmp_path)
    assert (tmp_path / "derived" / "decoder.onnx").stat().st_mtime_ns == first


def test_a_speaker_that_is_not_there_is_an_error_that_lists_them(tmp_path: Path) -> None:
    with pytest.raises(VoiceFileError, match="'eve'; it has: ann, bob"):
        load(tmp_path, speakers=True, speaker="eve")
    with pytest.raises(VoiceFileError, match="single speaker"):
        load(tmp_path, speaker="ann")


def test_a_file_that_is_no_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_voice(tmp_path, tiny_model())
    path.write_bytes(b"not a model")
    with pytest.raises(VoiceFileError, match=r"tiny\.onnx"):
        load_piper(path, tmp_path)


def test_a_damaged_part_is_an_error_that_says_how_to_mend_it(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / "derived" / "flow.onnx").write_bytes(b"half")
    with pytest.raises(VoiceFileError, match=r"delete .*derived"):
        load_piper(tmp_path / "tiny.onnx", tmp_path / "derived")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a Piper voice's settings"),
        ("[]", "not a Piper voice's settings"),
        ("{}", "phoneme_id_map is missing"),
        ('{"phoneme_id_map": {"_": [0], "^": [1]}}', r"phoneme_id_map\['\$'\] is missing"),
        ('{"phoneme_type": "pinyin"}', "'pinyin' are not supported"),
    ],
)
def test_wrong_settings_are_an_error_that_says_what_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "voice.onnx.json"
    path.write_text(content)
    with pytest.raises(VoiceFileError, match=message):
        read_config(path)


def test_missing_settings_are_an_error_that_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(VoiceFileError, match=r"beside its \.onnx"):
        read_config(tmp_path / "voice.onnx.json")


def test_a_voice_that_reads_letters_gets_them_small(tmp_path: Path) -> None:
    path = write_voice(tmp_path, tiny_model(), phoneme_type="text")
    (tmp_path / "derived").mkdir()
    model = load_piper(path, tmp_path / "derived")
    assert model.reads_letters
    assert [sound.symbol for sound in model.spell("Hé", 3)] == ["h", "e", "́"]
