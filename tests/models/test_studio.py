"""The studio with the real voice, face and ears: what comes out is heard, measured and watched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pyloudnorm
import pytest
from faster_whisper import WhisperModel

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.resample import resample
from media.audio.wav import read_wav
from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.landmarks import MODEL, FaceLandmarker, Picture
from media.avatar.portrait import decode_picture
from media.avatar.soundtrack import Speech
from media.avatar.visemes import PhonemeTrack
from media.models import model_dir
from media.speech.synthesis import SynthesisVoice, VoiceRegistry
from media.studio.framing import Framing, Portrait
from media.studio.talking import render_talking
from media.studio.voice import READING, RenderedVoice, render_voice
from media.worker import ModelWorker
from tests.media.avatar.sync import gaps, measured

pytestmark = pytest.mark.models

TEXT = (
    "Our bakery opens at six in the morning. The ovens are hot by then, and the first rolls are on the counter.\n\n"
    "Tomorrow my brother makes plum cake. Perhaps you would like a piece?"
)


@pytest.fixture(scope="module")
def voice() -> Iterator[SynthesisVoice]:
    worker = ModelWorker("voice")
    registry = VoiceRegistry(worker, deterministic=True)
    yield registry.open()
    registry.close()
    worker.close()


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return Portrait.of_picture(decode_picture(DEMO_PORTRAIT.read_bytes()), FaceLandmarker(model_dir(MODEL)))


@pytest.fixture(scope="module")
def recogniser() -> WhisperModel:
    return WhisperModel(str(model_dir("whisper-base")), compute_type="int8", cpu_threads=2)


def heard(recogniser: WhisperModel, samples: Samples, rate: int) -> str:
    segments, _ = recogniser.transcribe(resample(samples, rate, SPEECH_RATE), language="en")
    return " ".join(segment.text for segment in segments).lower()


async def rendered(voice: SynthesisVoice, out: Path, *, rate: int | None = None, speed: float = 1.0) -> RenderedVoice:
    return await render_voice(TEXT, voice, out, rate=rate, speed=speed)


async def test_a_text_is_heard_word_for_word_at_minus_16_lufs_and_48_khz(
    voice: SynthesisVoice, recogniser: WhisperModel, tmp_path: Path
) -> None:
    made = await rendered(voice, tmp_path / "s.wav", rate=48_000)
    sound = read_wav(tmp_path / "s.wav")
    assert sound.rate == 48_000
    loudness = pyloudnorm.Meter(48_000).integrated_loudness(sound.samples.astype(np.float64))
    assert loudness == pytest.approx(-16.0, abs=0.3)
    assert np.abs(sound.samples).max() <= 10 ** (-1 / 20)
    text = heard(recogniser, sound.samples, sound.rate)
    for word in ("bakery", "opens", "morning", "ovens", "counter", "tomorrow", "plum", "cake", "piece"):
        assert word in text
    words = {word.text: word for word in made.words}
    gap = (words["Tomorrow"].start - words["counter"].end) / 48_000
    assert gap == pytest.approx(READING.block, abs=0.15)


async def test_twice_the_speed_is_about_half_as_long_and_as_high(
    voice: SynthesisVoice, recogniser: WhisperModel, tmp_path: Path
) -> None:
    usual = await rendered(voice, tmp_path / "usual.wav")
    fast = await rendered(voice, tmp_path / "fast.wav", speed=1.5)
    assert 0.6 < fast.seconds / usual.seconds < 0.8
    assert "bakery" in heard(recogniser, read_wav(tmp_path / "fast.wav").samples, fast.rate)


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False], ids=["phonemes", "sound-alone"])
async def test_in_the_file_the_lips_follow_the_sound(
    told: bool, voice: SynthesisVoice, portrait: Portrait, recogniser: WhisperModel, tmp_path: Path
) -> None:
    made = await rendered(voice, tmp_path / "s.wav")
    speech = Speech(made.path, made.phonemes, made.rate) if told else Speech(made.path)
    render_talking(portrait, speech, tmp_path / "f.mp4", framing=Framing.of_resolution("480p", aspect=16 / 9))

    with av.open(str(tmp_path / "f.mp4")) as container:
        stream = container.streams.audio[0]
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)])
    offset = _lag(resample(sound, 48_000, SPEECH_RATE), read_wav(made.path, rate=SPEECH_RATE).samples)
    assert abs(offset) < 0.01
    assert "bakery" in heard(recogniser, sound, 48_000)

    with av.open(str(tmp_path / "f.mp4")) as container:
        shown = [(frame.time or 0.0, _rgb(frame)) for frame in container.decode(video=0)]
    times = np.array([at for at, _ in shown]) + 0.02
    track = PhonemeTrack()
    track.extend(made.phonemes, made.rate)
    spoken = [(p.phoneme, p.start / made.rate, p.end / made.rate) for p in made.phonemes]
    sync = measured(gaps((picture for _, picture in shown), FaceLandmarker(model_dir(MODEL))), times, track, spoken)
    assert abs(sync.lag - offset) <= 0.04
    if told:
        assert sync.correlation >= 0.85
        assert sync.closures >= 0.95
    else:
        assert sync.correlation >= 0.6


def _rgb(frame: av.VideoFrame) -> Picture:
    return np.ascontiguousarray(frame.to_ndarray(format="rgb24")).astype(np.uint8, copy=False)


def _lag(later: Samples, earlier: Samples) -> float:
    """Seconds by which one recording is late against another."""
    count = 1 << (len(later) + len(earlier)).bit_length()
    across = np.fft.irfft(np.fft.rfft(later, count) * np.conj(np.fft.rfft(earlier, count)))
    best = int(np.argmax(across))
    return (best - count if best > count // 2 else best) / SPEECH_RATE
