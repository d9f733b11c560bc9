from __future__ import annotations

import io
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from media.avatar import topology as topo
from media.avatar.__main__ import main
from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.driver import FaceDriver, Mood
from media.avatar.enrol import enrol, enrol_picture, head_angles
from media.avatar.errors import PortraitRefused, Refusal
from media.avatar.face import FaceState, mouth
from media.avatar.landmarks import MODEL, FaceLandmarker, Picture, lip_gap
from media.avatar.pack import load_pack
from media.avatar.puppet.renderer import Puppet
from media.avatar.renderer import draw
from media.avatar.visemes import PhonemeTrack
from media.models import model_dir
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker
from tests.media.avatar.faces import PORTRAITS
from tests.media.avatar.sync import gaps, measured

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(model_dir(MODEL))


def picture(name: str) -> Picture:
    """A test portrait; the astronaut's face is 108 pixels high, so that picture is enlarged."""
    with Image.open(PORTRAITS / f"{name}.jpg") as image:
        rgb = np.array(image.convert("RGB"))
    if name == "astronaut":
        return np.asarray(cv2.resize(rgb, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    return rgb


def refusal(data: Picture, landmarker: FaceLandmarker) -> PortraitRefused:
    with pytest.raises(PortraitRefused) as refused:
        enrol_picture(data, landmarker)
    return refused.value


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_landmarks_lie_where_eyes_nose_and_mouth_are(name: str, landmarker: FaceLandmarker) -> None:
    (face,) = landmarker.detect(picture(name))
    points = face.landmarks
    assert face.presence > 0.99
    left, right = (points[list(eye.iris[:1]), :2][0] for eye in topo.EYES)
    assert left[0] < points[topo.NOSE_TIP, 0] < right[0]
    assert left[1] < points[topo.NOSE_TIP, 1] < points[13, 1] < points[topo.CHIN, 1]


def test_a_turned_picture_gives_the_same_face_turned(landmarker: FaceLandmarker) -> None:
    upright = picture("grace_hopper")
    centre = (256.0, 220.0)
    matrix = cv2.getRotationMatrix2D(centre, 20, 1.0)
    turned = np.asarray(cv2.warpAffine(upright, matrix, upright.shape[1::-1]), np.uint8)
    before, after = landmarker.detect(upright)[0], landmarker.detect(turned)[0]
    expected = before.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert np.median(np.hypot(*(expected - after.landmarks[:, :2]).T)) < 2.5
    assert abs(head_angles(after.landmarks).roll - head_angles(before.landmarks).roll + 20) < 3


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_a_good_portrait_becomes_a_pack(name: str, landmarker: FaceLandmarker) -> None:
    pack = enrol_picture(picture(name), landmarker, name=name)
    assert pack.portrait.shape == (512, 512, 3)
    again = landmarker.detect(pack.portrait)[0]
    eyes = math.hypot(*(pack.landmarks[33, :2] - pack.landmarks[263, :2]))
    assert np.median(np.hypot(*(again.landmarks[:, :2] - pack.landmarks[:, :2]).T)) < 0.02 * eyes
    assert pack.warnings == ()


def test_the_demo_face_enrols_without_a_warning(landmarker: FaceLandmarker) -> None:
    pack = enrol(DEMO_PORTRAIT.read_bytes(), landmarker)
    assert pack.warnings == ()
    assert pack.face_height > 300


def test_no_face_several_faces_and_small_ones_are_told_apart(landmarker: FaceLandmarker) -> None:
    face = picture("grace_hopper")
    assert refusal(np.full((300, 300, 3), 128, np.uint8), landmarker).code is Refusal.NO_FACE
    both = np.hstack([face[:512], picture("astronaut")[100:612, 200:712]])
    assert refusal(both, landmarker).code is Refusal.SEVERAL_FACES
    small = np.asarray(cv2.resize(face, None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA), np.uint8)
    refused = refusal(small, landmarker)
    assert refused.code is Refusal.TOO_SMALL
    assert "pixels high" in str(refused)
    soft = np.asarray(cv2.resize(face, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), np.uint8)
    assert "soft" in enrol_picture(soft, landmarker).warnings[0]


def test_a_face_in_a_large_picture_is_found(landmarker: FaceLandmarker) -> None:
    scene = np.full((1400, 2000, 3), 90, np.uint8)
    scene[700:1300, 1200:1712] = picture("grace_hopper")
    assert enrol_picture(scene, landmarker).face_height == pytest.approx(202, abs=6)


def covered(name: str, landmarker: FaceLandmarker, kind: str) -> npt.NDArray[np.uint8]:
    data = picture(name).copy()
    points = landmarker.detect(data)[0].landmarks[:, :2]
    centre, width = (points[13] + points[14]) / 2, float(points[291, 0] - points[61, 0])
    if kind == "mask":
        lower = points[
            [50, 205, 1, 425, 280, 454, 361, 288, 397, 365, 379, 400, 152, 176, 150, 136, 172, 58, 132, 93, 234]
        ]
        cv2.fillConvexPoly(data, cv2.convexHull(lower.astype(np.int32)), (150, 185, 205))
    elif kind == "microphone":
        cv2.circle(data, (int(centre[0]), int(centre[1])), int(0.5 * width), (40, 40, 42), -1)
    else:
        skin = np.median(data[points[[50, 280], 1].astype(int), points[[50, 280], 0].astype(int)], 0)
        hand: npt.NDArray[Any] = np.zeros(data.shape[:2], np.float32)
        cv2.ellipse(
            hand,
            (int(centre[0]), int(centre[1] + 0.2 * width)),
            (int(0.9 * width), int(0.6 * width)),
            20,
            0,
            360,
            1.0,
            -1,
        )
        hand = np.asarray(cv2.GaussianBlur(hand, (0, 0), 2))[..., None]
        noise = np.random.default_rng(0).normal(0, 60, data.shape[:2]).astype(np.float32)
        texture = skin + np.asarray(cv2.GaussianBlur(noise, (0, 0), 6))[..., None]
        data = (data * (1 - hand) + texture * hand).clip(0, 255).astype(np.uint8)
    return data


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
@pytest.mark.parametrize("kind", ["mask", "hand", "microphone"])
def test_a_covered_mouth_is_refused(name: str, kind: str, landmarker: FaceLandmarker) -> None:
    refused = refusal(covered(name, landmarker, kind), landmarker)
    assert refused.code is Refusal.COVERED_MOUTH


def test_a_blurred_face_is_refused(landmarker: FaceLandmarker) -> None:
    blurred = np.asarray(cv2.GaussianBlur(picture("grace_hopper"), (0, 0), 4.0), np.uint8)
    assert refusal(blurred, landmarker).code is Refusal.TOO_BLURRY


def test_a_face_turned_away_is_refused(landmarker: FaceLandmarker) -> None:
    face = picture("grace_hopper")
    points = landmarker.detect(face)[0].landmarks
    # a turn of the head about 45 degrees, by the landmarks' depth: what matters is what the landmarks say of it
    turned = points.copy()
    turned[:, 0] = 0.7 * points[:, 0] - 0.7 * points[:, 2]
    turned[:, 2] = 0.7 * points[:, 0] + 0.7 * points[:, 2]
    assert abs(head_angles(turned).yaw) > 40
    assert abs(head_angles(points).yaw) < 5


def test_the_best_frame_of_a_video_is_taken(landmarker: FaceLandmarker) -> None:
    face = np.ascontiguousarray(picture("grace_hopper")[:512])
    blurred = np.asarray(cv2.GaussianBlur(face, (0, 0), 5.0), np.uint8)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        stream.codec_context.options = {"crf": "12", "preset": "ultrafast"}
        for k in range(75):
            frame = av.VideoFrame.from_ndarray(face if 25 <= k < 50 else blurred, "rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pack = enrol(buffer.getvalue(), landmarker)
    assert pack.warnings == ()


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_what_is_asked_of_the_mouth_is_seen_on_the_frame(name: str, landmarker: FaceLandmarker) -> None:
    puppet = Puppet(enrol_picture(picture(name), landmarker))

    def seen(**weights: float) -> float:
        frame = np.ascontiguousarray(puppet.draw(FaceState(mouth=mouth(close=1.0, **weights)))[..., :3])
        return lip_gap(landmarker.detect(frame)[0].landmarks)

    assert seen(press=0.5) < 0.02
    assert seen(jaw=1.24, lower=0.07, upper=0.06) >= 0.20
    assert 0.04 < seen(jaw=0.18, wide=0.15, upper=0.07, lower=0.12) < 0.17


async def test_the_face_follows_the_voice_on_the_frames_themselves(landmarker: FaceLandmarker) -> None:
    worker = ModelWorker("voice")
    try:
        voice = VoiceRegistry(worker, deterministic=True).open()
        text = "Hello, maybe a bigger apartment for my mother would be perfect. Papa parked the car by the farm."
        chunks = [chunk async for chunk in voice.synthesise(text, deadline=0.0)]
    finally:
        worker.close()
    track = PhonemeTrack()
    for chunk in chunks:
        track.extend(chunk.phonemes, chunk.rate)
    spoken = [(p.phoneme, p.start / voice.rate, p.end / voice.rate) for c in chunks for p in c.phonemes]
    driver = FaceDriver(seed=2)
    driver.set_mood(Mood.SPEAKING, 0.0)
    driver.play(track, 0.0)
    puppet = Puppet(enrol(DEMO_PORTRAIT.read_bytes(), landmarker))
    times = (np.arange(int(25 * track.end) + 5) + 0.5) / 25
    frames = (draw(puppet, driver.state(float(at))).rgb() for at in times)
    sync = measured(gaps(frames, landmarker), times, track, spoken)
    assert abs(sync.lag) <= 0.04
    assert sync.correlation >= 0.85
    assert sync.closures >= 0.95
    assert np.median(sync.openings) >= 0.20


def test_the_packaged_portrait_is_small() -> None:
    assert DEMO_PORTRAIT.stat().st_size < 600_000


def test_the_command_line_enrols_renders_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, film = tmp_path / "mira", tmp_path / "film.mp4"
    speech = PORTRAITS.parents[2] / "speech" / "thanks.wav"
    assert main(["enrol", str(DEMO_PORTRAIT), "-o", str(pack)]) == 0
    assert load_pack(pack).name == "mira"
    assert main(["render", str(pack), str(speech), "-o", str(film)]) == 0
    assert film.stat().st_size > 10_000
    assert main(["enrol", str(PORTRAITS / "astronaut.jpg"), "-o", str(tmp_path / "a")]) == 1
    assert "error [too_small]: The face is only" in capsys.readouterr().err
    assert main(["enrol", str(tmp_path / "none.jpg"), "-o", str(tmp_path / "a")]) == 1
    assert main(["render", str(tmp_path), str(speech), "-o", str(film)]) == 1
    assert not (tmp_path / "a").exists()
