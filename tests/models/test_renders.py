"""What jobs render, on real weights: heard, measured and looked at."""

from __future__ import annotations

import io
import itertools
import json
import re
import threading
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pyloudnorm
import pytest
import soxr
from faster_whisper import WhisperModel
from PIL import Image

from media import decoding
from media.audio.frames import SPEECH_RATE, Samples, from_int16
from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.enrol import enrol
from media.avatar.landmarks import MODEL, FaceLandmarker, lip_gap
from media.avatar.pack import save_pack
from media.models import model_dir
from media.studio.errors import RenderCancelled
from server.avatars.library import PACK, SOURCE
from server.jobs.handlers import JobFailed, JobInterrupted
from server.renders import talking
from server.renders.orders import AvatarOrder, TalkingOrder, VideoOrder, VoiceOrder
from server.renders.warm import warm
from tests.server.renders.working import Workplace

pytestmark = pytest.mark.models

PHOTO, SPEECH = "https://example.com/photo.webp", "https://example.com/speech.wav"
TEXT = "The quick brown fox jumps over the lazy dog. Then it goes home."
RECORDING = Path("tests/speech/book_table.wav")
TRANSCRIPTS = Path("tests/speech/transcripts.json")
PROJECT = "468ea7a0-66e1-4357-a760-236e54167f3e"
AVATAR = "avatar_0123456789abcdef"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """One workplace: models are loaded once, as in a worker."""
    yield Workplace(tmp_path_factory.mktemp("renders"), urls={PHOTO: DEMO_PORTRAIT, SPEECH: RECORDING})
    decoding.close()


@pytest.fixture(scope="module")
def recogniser() -> WhisperModel:
    return WhisperModel(str(model_dir("whisper-base")), compute_type="int8", cpu_threads=2)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def heard(recogniser: WhisperModel, samples: Samples, rate: int) -> list[str]:
    segments, _ = recogniser.transcribe(soxr.resample(samples, rate, SPEECH_RATE), language="en", beam_size=5)
    return words(" ".join(segment.text for segment in segments))


def sound_of(film: Path) -> tuple[Samples, int]:
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray().mean(0) for frame in container.decode(container.streams.audio[0])]
        return np.concatenate(frames).astype(np.float32), container.streams.audio[0].rate or 0


def test_a_worker_that_is_warm_has_what_a_film_of_a_text_needs(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm(place.services(), tmp_path, lambda: False)
    loaded: list[str] = []
    get = place.shared.get

    def watched(name: str, make: Callable[[], object]) -> object:
        def made() -> object:
            loaded.append(name)
            return make()

        return get(name, made)

    monkeypatch.setattr(place.shared, "get", watched)
    order = AvatarOrder(image=PHOTO, text="Hello.", voice="piper-joe", resolution="480p", model="veed-fabric")
    assert place.make("avatar", order).outputs
    assert loaded == []


def test_warming_up_ends_when_the_worker_does(place: Workplace, tmp_path: Path) -> None:
    with pytest.raises(RenderCancelled):
        warm(place.services(), tmp_path, lambda: True)


def test_a_voice_says_the_text_at_sixteen_lufs(place: Workplace, recogniser: WhisperModel) -> None:
    made = place.make("voice", VoiceOrder(text=TEXT, voice="piper-joe", language="en", model="fish-audio-s1"))
    with wave.open(str(place.path(made))) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        samples = from_int16(np.frombuffer(file.readframes(file.getnframes()), "<i2"))
    assert (made.outputs[0].key, made.outputs[0].media_type, channels) == ("outputs/job-1/voice.wav", "audio/wav", 1)
    assert heard(recogniser, samples, rate) == words(TEXT)
    assert pyloudnorm.Meter(rate).integrated_loudness(samples) == pytest.approx(-16, abs=0.7)
    assert made.metadata == {
        "model": "fish-audio-s1",
        "engine": "piper-joe",
        "durationSeconds": pytest.approx(len(samples) / rate, abs=0.01),
        "language": "en",
    }
    assert [name for name, _ in place.phases if name == "speaking"]


def test_speed_is_the_voices_own(place: Workplace) -> None:
    slow, fast = (
        place.make("voice", VoiceOrder(text=TEXT, voice="piper-joe", language="en", speed=speed)).metadata[
            "durationSeconds"
        ]
        for speed in (0.8, 1.6)
    )
    assert 1.4 < slow / fast < 2.4  # pauses keep their length, and the voice varies


def test_a_photo_speaks_a_text(place: Workplace, recogniser: WhisperModel) -> None:
    order = AvatarOrder(image=PHOTO, resolution="480p", model="veed-fabric", text=TEXT, voice="piper-joe")
    made = place.make("avatar", order)
    film = place.path(made)
    with av.open(str(film)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height, int(video.average_rate or 0)) == (480, 480, 25)
        assert container.duration is not None
        seconds = container.duration / 1e6
    atoms = film.read_bytes()
    assert 0 < atoms.index(b"moov") < atoms.index(b"mdat"), "it cannot be played while it loads"
    assert made.metadata["durationSeconds"] == pytest.approx(seconds, abs=0.1)
    assert (made.metadata["engine"], made.metadata["voice"], made.metadata["resolution"]) == (
        "puppet",
        "piper-joe",
        "480p",
    )
    assert heard(recogniser, *sound_of(film)) == words(TEXT)
    names = [name for name, _ in itertools.groupby(name for name, _ in place.phases)]
    assert names[-3:] == ["speaking", "rendering", "storing"]
    with Image.open(io.BytesIO(place.path(made, 1).read_bytes())) as poster:
        assert (poster.format, poster.size) == ("WEBP", (480, 480))


def test_a_text_that_cannot_be_spoken_ends_the_film_that_was_begun(place: Workplace) -> None:
    order = AvatarOrder(image=PHOTO, resolution="480p", model="veed-fabric", text="…", voice="piper-joe")
    with pytest.raises(JobFailed, match="text: "):
        place.make("avatar", order, "job-mute")
    assert not (place.root / "files" / "outputs" / "job-mute").exists()
    assert not [thread.name for thread in threading.enumerate() if "drawing" in thread.name]


def test_a_film_that_cannot_be_drawn_ends_what_is_spoken_for_it(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(talking, "render_pictures", full)
    order = AvatarOrder(image=PHOTO, resolution="480p", model="veed-fabric", text=TEXT * 20, voice="piper-joe")
    before = len(place.phases)
    with pytest.raises(OSError, match="No space"):
        place.make("avatar", order, "job-full")
    assert max(done for name, done in place.phases[before:] if name == "speaking") < 0.5


def test_a_recording_is_spoken_with_options(place: Workplace, recogniser: WhisperModel) -> None:
    order = TalkingOrder(image_url=PHOTO, audio_url=SPEECH, project_id=PROJECT, output_size=400, expand_ratio=0.3)
    made = place.make("talking", order, "job-2")
    assert made.outputs[0].key == f"ai-talking-videos/{PROJECT}/outputs/job-2.mp4"
    landmarker = FaceLandmarker(model_dir(MODEL))
    gaps, heights = [], []
    with av.open(str(place.path(made))) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (400, 400)
        for frame in container.decode(container.streams.video[0]):
            (face,) = landmarker.detect(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            gaps.append(lip_gap(face.landmarks))
            heights.append(face.height)
    assert np.ptp(gaps) > 0.08, "the mouth does not move"
    assert np.median(heights) == pytest.approx(400 / 1.6, rel=0.25), "the crop does not follow expand_ratio"
    said = next(turn for turn in json.loads(TRANSCRIPTS.read_text()) if turn["file"] == RECORDING.name)["text"]
    spoken = heard(recogniser, *sound_of(place.path(made)))
    assert len(set(spoken) & set(words(said))) >= 0.8 * len(set(words(said)))


@pytest.fixture(scope="module")
def avatar(place: Workplace) -> str:
    """An avatar of the library, as its folder lies on disk."""
    folder = place.root / "data" / "avatars" / AVATAR
    save_pack(enrol(DEMO_PORTRAIT.read_bytes(), FaceLandmarker(model_dir(MODEL))), folder / PACK)
    with Image.open(DEMO_PORTRAIT) as image:
        image.convert("RGB").save(folder / SOURCE, "JPEG")
    return AVATAR


def test_content_is_written_and_spoken_within_its_duration(place: Workplace, avatar: str) -> None:
    place.checkpoints.clear()
    prompt = "Make a video about our bakery. We open at six."
    order = VideoOrder(avatar_id=avatar, voice="piper-joe", language="en", prompt=prompt, seconds=8)
    made = place.make("content", order)
    assert "We open at six." in made.metadata["script"]
    assert "bakery" in made.metadata["script"]
    assert 4 < made.metadata["durationSeconds"] <= 9
    assert made.metadata["resolution"] == "720p"
    again = place.make("content", order.model_copy(update={"prompt": "Something else."}))
    assert again.metadata["script"] == made.metadata["script"], "a job that runs again writes another script"


def test_a_script_is_spoken_faster_to_fit_and_refused_where_it_cannot(place: Workplace, avatar: str) -> None:
    order = VideoOrder(avatar_id=avatar, voice="piper-joe", language="en", script=TEXT)
    free = place.make("video", order).metadata["durationSeconds"]
    fitted = place.make("video", order.model_copy(update={"seconds": free - 0.4})).metadata["durationSeconds"]
    assert fitted <= free + 0.6
    with pytest.raises(JobFailed, match=r"script: takes \d s to say, longer than the 2 s"):
        place.make("video", order.model_copy(update={"seconds": 2.0}))


def test_what_cannot_be_rendered_says_why(place: Workplace, tmp_path: Path) -> None:
    grey, huge, text = tmp_path / "grey.png", tmp_path / "huge.png", tmp_path / "text.txt"
    Image.new("RGB", (640, 480), "grey").save(grey)
    Image.new("1", (20_000, 10_000)).save(huge)
    text.write_text("this is no sound")
    hour = tmp_path / "hour.wav"
    with wave.open(str(hour), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * 3600)
    place.urls |= {"grey": grey, "huge": huge, "text": text, "hour": hour}
    order = AvatarOrder(image=PHOTO, resolution="480p", model="veed-fabric", audio=SPEECH)
    for changed, code, error in (
        ({"image": "grey"}, "NO_FACE", "image: "),
        ({"image": "huge"}, "TOO_LARGE", "image: "),
        ({"image": "text"}, "", "image: "),
        ({"image": "missing"}, "REFUSED", "image: The server answered 404."),
        ({"audio": "text"}, "", "audio: "),
        ({"audio": "hour"}, "TOO_LONG", "audio: "),
        ({"audio": PHOTO}, "", "audio: "),
    ):
        with pytest.raises(JobFailed) as failed:
            place.make("avatar", order.model_copy(update=changed), "job-refused")
        assert str(failed.value).startswith(error), changed
        assert not code or failed.value.code == code, changed
    assert not (place.root / "files" / "outputs" / "job-refused").exists()


def test_a_cancelled_render_ends_and_leaves_nothing(place: Workplace) -> None:
    place.stop_at = ("rendering", 0.01)
    order = AvatarOrder(image=PHOTO, resolution="480p", model="veed-fabric", text=TEXT, voice="piper-joe")
    try:
        with pytest.raises(JobInterrupted):
            place.make("avatar", order, "job-cancelled")
    finally:
        place.stop_at = None
    assert not (place.root / "files" / "outputs" / "job-cancelled").exists()
    assert [file.name for file in (place.root / "work").iterdir() if file.suffix == ".mp4"] == []
