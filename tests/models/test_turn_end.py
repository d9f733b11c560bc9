"""Smart Turn on finished and on cut-off speech."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.wav import read_wav
from media.models import model_dir
from media.speech.turn_end.smart_turn import SmartTurn
from tests.bench.word_errors import SPEECH, over_the_phone

pytestmark = pytest.mark.models

FINISHED = ["open_hours.wav", "book_table.wav", "name.wav", "thanks.wav", "phone_number.wav", "stop.wav"]
# Seconds after which the recording is cut: in the middle of a phrase, where the voice hangs in the air.
CUT = {"book_table.wav": 1.25, "stop.wav": 0.8, "thanks.wav": 1.1, "vegetarian.wav": 2.6, "hesitation.wav": 3.4}


@pytest.fixture(scope="module")
def detector() -> Iterator[SmartTurn]:
    made = SmartTurn(model_dir("smart-turn") / "smart-turn-v3.2-cpu.onnx")
    yield made
    made.close()


def voice(name: str) -> Samples:
    return read_wav(SPEECH / name).samples


@pytest.mark.parametrize("line", ["wide", "phone"])
@pytest.mark.parametrize("name", FINISHED)
async def test_a_finished_turn_sounds_finished(detector: SmartTurn, name: str, line: str) -> None:
    samples = over_the_phone(voice(name)) if line == "phone" else voice(name)
    assert await detector.probability(samples, deadline=time.monotonic()) > 0.8


@pytest.mark.parametrize("name", CUT)
async def test_a_turn_cut_off_sounds_unfinished(detector: SmartTurn, name: str) -> None:
    samples = voice(name)[: int(CUT[name] * SPEECH_RATE)]
    assert await detector.probability(samples, deadline=time.monotonic()) < 0.3


async def test_what_was_said_more_than_eight_seconds_ago_does_not_count(detector: SmartTurn) -> None:
    once = np.concatenate([np.zeros(8 * SPEECH_RATE, np.float32), voice("thanks.wav")])
    twice = np.concatenate([voice("hesitation.wav"), once])
    deadline = time.monotonic()
    first = await detector.probability(once, deadline=deadline)
    assert await detector.probability(twice, deadline=deadline) == pytest.approx(first, abs=1e-6)


@pytest.mark.parametrize("length", [0, 1, 100])
async def test_hardly_any_audio_has_a_probability(detector: SmartTurn, length: int) -> None:
    assert 0 <= await detector.probability(np.zeros(length, np.float32), deadline=time.monotonic()) <= 1
