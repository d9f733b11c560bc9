import io
import wave

import numpy as np

from server.phone.hold_music import SECONDS, hold_wav, music


def test_the_music_is_soft_and_begins_and_ends_in_silence() -> None:
    sound = music()
    assert len(sound) == SECONDS * 8000
    assert 0.1 < np.abs(sound).max() < 0.5
    assert 0.02 < np.sqrt(np.mean(sound**2)) < 0.2
    assert np.abs(sound[:8]).max() < 0.01
    assert np.abs(sound[-8:]).max() < 0.01
    assert np.abs(np.diff(sound)).max() < 0.15, "no clicks"


def test_the_file_is_what_telephones_play() -> None:
    with wave.open(io.BytesIO(hold_wav())) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.getnframes() == SECONDS * 8000
