"""The lists of greetings, and what is made of a line of theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from media.audio.frames import Samples
from tests.bench.greetings import corpus
from tests.bench.greetings.corpus import LISTS, Speaker, read_list

HEADER = "# a comment\n\n"


def test_there_are_enough_greetings_of_both_kinds_and_none_is_in_two_lists() -> None:
    tuning, held_out = (read_list(path) for path in LISTS.values())
    assert sum(greeting.party == "human" for greeting in tuning) >= 20
    assert sum(greeting.party != "human" for greeting in tuning) >= 22
    assert len(held_out) >= 16
    assert len({*tuning, *held_out}) == len(tuning) + len(held_out)


@pytest.mark.parametrize(
    "line",
    ["human | piper-joe | lead 1", "dog | piper-joe | lead 1 | Woof", "human | piper-joe | echo 3 | Hello?"],
)
def test_a_line_that_is_no_greeting_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(HEADER + line)
    with pytest.raises(ValueError, match=r"greeting|no echo"):
        read_list(path)


async def test_a_line_sounds_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "CACHE", tmp_path)

    async def spoken(self: Speaker, name: str, text: str) -> Samples:
        return np.full(8000 if text.strip() else 0, 0.1, np.float32)

    monkeypatch.setattr(Speaker, "_spoken", spoken)
    path = tmp_path / "list.txt"
    path.write_text("machine | piper-joe | lead 0.5 | Hello. {pause 0.4} {beep 1000 0.2}")
    (greeting,) = read_list(path)
    assert greeting.words == "Hello."
    speaker = Speaker()
    try:
        first = await speaker.audio(greeting)
        again = await speaker.audio(greeting)
    finally:
        speaker.close()
    assert len(first) == round((0.5 + 1.0 + 0.4 + 0.2 + corpus.TAIL) * 8000)
    assert np.array_equal(first, again)
    assert np.all(np.abs(first[:4000]) < 0.001)
    assert first[8000] == pytest.approx(0.1, abs=0.005)
    power = np.square(np.abs(np.fft.rfft(first[15200:16800])))
    assert np.argmax(power) == pytest.approx(200)  # 1000 Hz in bins of 5 Hz
