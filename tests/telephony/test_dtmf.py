import numpy as np
import pytest

from media.audio.frames import Samples
from media.audio.g711 import samples_to_ulaw, ulaw_to_samples
from telephony.dtmf import KEYS, tones

RATE = 8000
ROWS = {697: "123A", 770: "456B", 852: "789C", 941: "*0#D"}
COLUMNS = {1209: "147*", 1336: "2580", 1477: "369#", 1633: "ABCD"}


def strongest(samples: Samples, frequencies: dict[int, str]) -> str:
    time = np.arange(len(samples)) / RATE
    power = {f: abs(np.exp(-2j * np.pi * f * time) @ samples) for f in frequencies}
    return frequencies[max(power, key=lambda f: power[f])]


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_key_sounds_as_its_two_tones_also_through_mulaw(key: str) -> None:
    heard = ulaw_to_samples(samples_to_ulaw(tones(key)))
    assert set(strongest(heard, ROWS)) & set(strongest(heard, COLUMNS)) == {key}


def test_keys_follow_one_another_with_gaps_and_others_are_left_out() -> None:
    sound = tones("1x2 3")
    assert len(sound) == 3 * round(0.18 * RATE)
    assert not sound[800:1440].any()
    assert np.abs(sound).max() <= 0.5
    assert len(tones("")) == 0
