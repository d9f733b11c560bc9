"""Reads from what a caller received how the face on it moved: against the sound, on the sender's own clock.

The pictures are judged by the face landmarker alone; where speech lies in the sound is found by correlation with what
was spoken. Nothing of the server's is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
import soxr

from media.audio.frames import Samples
from media.avatar.landmarks import FaceLandmarker, Picture
from media.avatar.visemes import PhonemeTrack
from tests.media.avatar.sync import SHUT, Sync, gaps, measured
from tests.peers.webrtc_caller import RATE, Heard, WebRtcCaller

_ROUGH = 8_000  # Hz, at which sounds are compared


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """What the agent was given to say: samples, their rate, and its phonemes (IPA, start, end) in seconds."""

    samples: Samples
    rate: int
    phonemes: Sequence[tuple[str, float, float]]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate


def sound_of(heard: Sequence[Heard]) -> Samples:
    """What was received, 48 kHz, from the first packet's time on."""
    samples = np.zeros(heard[-1].pts + len(heard[-1].samples), np.float32)
    for part in heard:
        samples[part.pts : part.pts + len(part.samples)] = part.samples
    return samples


def speech_at(heard: Sequence[Heard], spoken: Spoken) -> float:
    """Where in the received sound the speech begins, seconds of its time stamps."""
    received = soxr.resample(sound_of(heard), RATE, _ROUGH)
    said = soxr.resample(spoken.samples, spoken.rate, _ROUGH)
    size = 1 << int(np.ceil(np.log2(len(received) + len(said))))
    correlation = np.fft.irfft(np.fft.rfft(received, size) * np.conj(np.fft.rfft(said, size)), size)
    return float(np.argmax(correlation[: len(received)])) / _ROUGH


def rgb(frame: av.VideoFrame) -> Picture:
    """A picture as RGB."""
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def sync_of(caller: WebRtcCaller, spoken: Spoken, landmarker: FaceLandmarker, *, frame: float = 0.04) -> Sync:
    """How the mouth on the decoded pictures follows the decoded speech; a picture stands for the middle of its time."""
    begins = caller.wires["audio"].sent_at(speech_at(caller.heard, spoken))
    times = np.array([caller.wires["video"].sent_at(pts) for _, pts, _ in caller.pictures]) + frame / 2 - begins
    inside = (times > 0) & (times < spoken.seconds)
    shown = [rgb(frame) for (_, _, frame), is_in in zip(caller.pictures, inside, strict=True) if is_in]
    track = PhonemeTrack()
    for phoneme in spoken.phonemes:
        track.add(*phoneme)
    return measured(gaps(shown, landmarker), times[inside], track, spoken.phonemes, frame=frame)


def mouth_shut(caller: WebRtcCaller, since: float, landmarker: FaceLandmarker, *, until: float) -> float | None:
    """When the first picture arrived from which on the mouth stays shut, of those that came between two moments.

    `since` itself where it is shut in all of them, None where it is open in the last.
    """
    arrived = [(at, frame) for at, _, frame in caller.pictures if since < at < until]
    open_mouths: npt.NDArray[np.bool_] = gaps((rgb(frame) for _, frame in arrived), landmarker) >= SHUT
    if not open_mouths.any():
        return since
    last = int(np.flatnonzero(open_mouths)[-1])
    return arrived[last + 1][0] if last + 1 < len(arrived) else None
