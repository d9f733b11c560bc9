from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from media.avatar.audio_visemes.network import packaged_network
from media.avatar.errors import SpeechUnreadable
from media.avatar.film import render_film
from media.avatar.soundtrack import HeardTrack, decode_speech
from tests.media.avatar.faces import drawn_pack

SPEECH = Path(__file__).parents[2] / "speech" / "open_hours.wav"


def test_a_recording_becomes_a_film_of_the_same_length(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    film = render_film(drawn_pack(), SPEECH, out, packaged_network())
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    with wave.open(str(SPEECH)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert film.seconds == pytest.approx(seconds, abs=0.05)
    with av.open(str(out)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert video.average_rate == 25
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video)]
    assert len(frames) == film.frames == pytest.approx(25 * seconds, abs=1)
    assert frames[0].shape == (512, 512, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 20
    assert out.read_bytes()[4:8] == b"ftyp"
    assert out.read_bytes().index(b"moov") < out.read_bytes().index(b"mdat")  # plays while it loads


def test_the_same_recording_and_seed_give_the_same_frames(tmp_path: Path) -> None:
    def pictures(seed: int, name: str) -> list[np.ndarray]:
        render_film(drawn_pack(), SPEECH, tmp_path / name, packaged_network(), seed=seed, threads=1)
        with av.open(str(tmp_path / name)) as container:
            return [frame.to_ndarray() for frame in container.decode(video=0)][:12]

    first, again, other = pictures(1, "a.mp4"), pictures(1, "b.mp4"), pictures(2, "c.mp4")
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("content", [b"", b"RIFF0000WAVE", b"#EXTM3U\nhttp://127.0.0.1/a.wav\n", bytes(1000)])
def test_what_is_no_recording_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    speech = tmp_path / "speech.wav"
    speech.write_bytes(content)
    with pytest.raises(SpeechUnreadable):
        render_film(drawn_pack(), speech, tmp_path / "out" / "film.mp4", packaged_network())
    assert list((tmp_path / "out").iterdir()) == []


def test_speech_of_any_rate_and_channels_is_read_as_16_khz_mono(tmp_path: Path) -> None:
    path = tmp_path / "s.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(np.full((88_200, 2), 3277, "<i2").tobytes())
    parts = list(decode_speech(path))
    assert sum(len(part) for part in parts) == pytest.approx(32_000, abs=40)
    assert np.concatenate(parts)[8000:24_000] == pytest.approx(0.1, abs=0.01)


def test_a_heard_track_forgets_what_is_long_past() -> None:
    track = HeardTrack(packaged_network())
    for second in range(30):
        track.hear(np.random.default_rng(second).normal(0, 0.05, 16_000).astype(np.float32))
        track.forget(track.end)
    track.finish()
    assert len(track._weights) < 250
    assert track.end == pytest.approx(30.0, abs=0.02)
    assert not track.mouth(3.0).any()
