"""Portrait and speech to MP4: what the file is, what stops it, what it moves."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from media.audio.frames import AudioFrame
from media.audio.wav import read_wav, write_wav
from media.avatar.audio_visemes.network import packaged_network
from media.avatar.errors import SpeechUnreadable
from media.avatar.face import FaceState, mouth
from media.avatar.film import Encoding, join
from media.avatar.soundtrack import GrowingTrack, HeardTrack, KnownTrack, Speech, SpeechLost
from media.speech.protocols import SpokenPhoneme
from media.studio.control import Control
from media.studio.errors import OptionInvalid, RenderCancelled
from media.studio.framing import Framing
from media.studio.stills import still
from media.studio.talking import livelier, render_pictures, render_talking
from tests.media.studio.portraits import placed

SPEECH = Path(__file__).parents[2] / "speech" / "open_hours.wav"
FAST = Encoding(preset="ultrafast", threads=1)
SMALL = Framing(160)


def tone(seconds: float, rate: int = 24_000) -> AudioFrame:
    at = np.arange(int(seconds * rate)) / rate
    return AudioFrame((0.3 * np.sin(2 * np.pi * 440 * at)).astype(np.float32), rate, 0)


def frames_of(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def sound_of(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        return np.concatenate(frames, axis=1)[0], container.streams.audio[0].rate


@pytest.mark.parametrize(
    ("framing", "size"), [(Framing.of_resolution("480p", aspect=16 / 9), (854, 480)), (SMALL, (240, 160))]
)
def test_a_portrait_speaks_a_file_in_a_frame_of_the_size_asked_for(
    framing: Framing, size: tuple[int, int], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "film.mp4"
    film = render_talking(placed(900, 600), Speech(SPEECH), out, framing=framing, encoding=FAST)
    with av.open(str(out)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height, video.codec_context.pix_fmt) == (*size, "yuv420p")
        assert video.average_rate == 25
        assert audio.rate == 48_000
        assert video.codec_context.colorspace == 6  # BT.601, as drawn
    sound = read_wav(SPEECH)
    assert film.seconds == pytest.approx(sound.duration, abs=0.05)
    assert len(frames_of(out)) == film.frames == pytest.approx(25 * sound.duration, abs=1)
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert [path.name for path in out.parent.iterdir()] == ["film.mp4"]


def test_the_sound_keeps_its_place_its_length_and_what_lies_above_8_khz(tmp_path: Path) -> None:
    rate = 48_000
    at = np.arange(3 * rate) / rate
    clicks = (np.sin(2 * np.pi * 11_000 * at) * 0.5 * ((at % 0.5) < 0.02)).astype(np.float32)
    out = tmp_path / "f.mp4"
    render_talking(placed(300, 300), Speech(AudioFrame(clicks, rate, 0)), out, framing=SMALL, encoding=FAST)
    heard, heard_rate = sound_of(out)
    assert heard_rate == rate
    assert len(heard) == pytest.approx(len(clicks), abs=2100)
    count = min(len(heard), len(clicks))
    spectrum = np.fft.rfft(np.abs(heard[:count])) * np.conj(np.fft.rfft(np.abs(clicks[:count])))
    lag = int(np.argmax(np.fft.irfft(spectrum)[: rate // 4]))
    assert lag / rate < 0.005
    assert np.abs(heard).max() > 0.3


def test_phonemes_where_they_are_known_shape_the_mouth(tmp_path: Path) -> None:
    rate = 24_000
    open_vowel = (SpokenPhoneme("ɑː", rate // 2, rate), SpokenPhoneme("m", rate, 5 * rate // 4))
    speech = Speech(tone(2.0), open_vowel, rate)
    assert isinstance(speech.mouth(packaged_network()), KnownTrack)
    assert isinstance(Speech(tone(1.0)).mouth(packaged_network()), HeardTrack)
    out = tmp_path / "f.mp4"
    portrait = placed(512, 512)
    render_talking(portrait, speech, out, framing=Framing(512), dynamic_scale=0.0, encoding=FAST)
    frames = frames_of(out)
    lips = np.array([frame[285:330, 220:292].astype(int) for frame in frames])
    moved = np.abs(lips - lips[5]).mean((1, 2, 3))
    assert moved[18:24].max() > 6 * max(0.5, moved[:9].max())
    assert moved[28:31].min() < 0.4 * moved[18:24].max()


def growing(track: GrowingTrack, phonemes: tuple[SpokenPhoneme, ...], rate: int, seconds: float) -> threading.Thread:
    """Speech that is made a tenth of a second at a time, on a thread of its own."""

    def speak() -> None:
        told = 0.0
        while told < seconds:
            until = min(told + 0.1, seconds)
            track.extend([each for each in phonemes if told <= each.start / rate < until], rate, until=until)
            told = until
            time.sleep(0.002)
        track.finish(seconds)

    thread = threading.Thread(target=speak)
    thread.start()
    return thread


def test_what_is_drawn_while_it_is_spoken_is_what_would_have_been_drawn_after(tmp_path: Path) -> None:
    rate, seconds = 24_000, 4.0
    sounds = ("ɑː", "m", "uː", "f", "iː", "p", "oʊ")
    starts = [0.4, 0.7, 0.8, 1.6, 1.7, 2.9, 3.0]
    phonemes = tuple(
        SpokenPhoneme(sound, round(at * rate), round((at + 0.1) * rate))
        for sound, at in zip(sounds, starts, strict=True)
    )
    portrait, speech = placed(400, 400), Speech(tone(seconds, rate), phonemes, rate)
    after, pictures, meanwhile = (tmp_path / name for name in ("a.mp4", "p.mp4", "m.mp4"))
    film = render_talking(portrait, speech, after, framing=SMALL, encoding=FAST)
    track, seen = GrowingTrack(), list[float]()
    speaking = growing(track, phonemes, rate, seconds)
    count = render_pictures(portrait, track, pictures, framing=SMALL, encoding=FAST, control=Control(seen.append))
    speaking.join()
    join(pictures, speech, meanwhile)
    assert count == film.frames == 100
    assert seen == sorted(seen)
    for one, other in zip(frames_of(after), frames_of(meanwhile), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(sound_of(after)[0], sound_of(meanwhile)[0])
    whole = meanwhile.read_bytes()
    assert 0 < whole.index(b"moov") < whole.index(b"mdat")
    with av.open(str(pictures)) as container:
        assert not container.streams.audio


def test_pictures_of_speech_that_is_lost_are_not_kept(tmp_path: Path) -> None:
    track = GrowingTrack()
    track.extend((), 24_000, until=2.0)
    threading.Timer(0.05, track.lose).start()
    with pytest.raises(SpeechLost):
        render_pictures(placed(300, 300), track, tmp_path / "p.mp4", framing=SMALL, encoding=FAST)
    assert list(tmp_path.iterdir()) == []


def test_dynamic_scale_moves_the_head_less_or_more() -> None:
    face = FaceState(mouth=mouth(jaw=0.5), yaw=0.1, pitch=-0.02, roll=0.01, shift_x=0.02, brows=0.4, lids=(0.3, 0.3))
    calm, lively = livelier(face, 0.0), livelier(face, 2.0)
    assert (calm.yaw, calm.pitch, calm.roll, calm.shift_x, calm.brows) == (0, 0, 0, 0, 0)
    assert calm.lids == lively.lids == face.lids
    assert np.array_equal(calm.mouth, face.mouth)
    assert lively.pitch == pytest.approx(-0.04)
    assert lively.yaw == pytest.approx(0.15)  # further, the warp shows


@pytest.mark.parametrize("by", [-0.5, 2.5])
def test_a_scale_out_of_range_is_refused_before_anything_is_written(by: float, tmp_path: Path) -> None:
    with pytest.raises(OptionInvalid, match="dynamic_scale"):
        render_talking(placed(300, 300), Speech(tone(1.0)), tmp_path / "f.mp4", dynamic_scale=by)
    assert not list(tmp_path.iterdir())


def test_progress_rises_and_a_stopped_render_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "f.mp4"
    out.write_bytes(b"an older film")
    seen: list[float] = []

    def stop() -> bool:
        return bool(seen) and seen[-1] > 0.5

    with pytest.raises(RenderCancelled):
        render_talking(
            placed(300, 300), Speech(tone(2.0)), out, framing=SMALL, encoding=FAST, control=Control(seen.append, stop)
        )
    assert seen == sorted(seen)
    assert seen[-1] < 0.7
    assert [path.name for path in tmp_path.iterdir()] == ["f.mp4"]
    assert out.read_bytes() == b"an older film"
    render_talking(placed(300, 300), Speech(tone(1.0)), out, framing=SMALL, encoding=FAST, control=Control(seen.append))
    assert seen[-1] == 1.0


@pytest.mark.parametrize("content", [b"", b"#EXTM3U\nhttp://127.0.0.1/a.wav\n", bytes(2000)])
def test_what_is_no_recording_is_refused_and_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    speech.write_bytes(content)
    with pytest.raises(SpeechUnreadable):
        render_talking(placed(300, 300), Speech(speech), tmp_path / "out" / "f.mp4", framing=SMALL)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_silence_is_spoken_with_a_shut_mouth(tmp_path: Path) -> None:
    write_wav(tmp_path / "s.wav", np.zeros(16_000, np.float32), 16_000)
    film = render_talking(
        placed(300, 300), Speech(tmp_path / "s.wav"), tmp_path / "f.mp4", framing=SMALL, encoding=FAST
    )
    assert film.frames == 25


def test_a_still_is_a_webp_of_the_size_asked_for() -> None:
    data = still(placed(700, 500), framing=Framing(320, aspect=16 / 9))
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
        assert picture.size == (568, 320)
        colours = np.array(picture.convert("RGB"))
    assert colours.std() > 20
    assert len(data) < 60_000
