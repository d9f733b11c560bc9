"""A portrait speaks a recording: MP4 with H.264 and AAC, as fast as the machine allows, in bounded memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from media.avatar.audio_visemes.network import AudioVisemes, packaged_network
from media.avatar.driver import FaceDriver
from media.avatar.face import FaceState
from media.avatar.film import FRAME_RATE, I420, USUAL, Encoding, Film, write_film, write_pictures
from media.avatar.soundtrack import GrowingTrack, Speech
from media.studio.control import Control
from media.studio.errors import OptionInvalid
from media.studio.framing import Framing, Portrait, view_of
from media.studio.scene import Scene

_WHOLE, _ALONE = Framing(), Control()
_MOST_SCALE: Final = 2.0
_MOST_TURN: Final = 0.15  # radians; further the warp shows


class LivelyScene:
    """A scene whose head moves more or less than in talk. Implements `media.avatar.film.Painter`.

    `dynamic_scale` from 0 (a still head, only lips and eyes) over 1 (as live) to 2.
    """

    def __init__(self, scene: Scene, dynamic_scale: float) -> None:
        self._scene, self._by = scene, dynamic_scale
        self.width, self.height = scene.width, scene.height

    def paint(self, face: FaceState) -> I420:
        """See `media.avatar.film.Painter.paint`."""
        return self._scene.paint(livelier(face, self._by))


def livelier(face: FaceState, by: float) -> FaceState:
    """The same face with its head's movements `by` times as large."""
    yaw, pitch, roll = (min(max(angle * by, -_MOST_TURN), _MOST_TURN) for angle in (face.yaw, face.pitch, face.roll))
    return replace(
        face,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        shift_x=face.shift_x * by,
        shift_y=face.shift_y * by,
        zoom=face.zoom * by,
        brows=face.brows * by,
    )


def render_talking(
    portrait: Portrait,
    speech: Speech,
    out: Path,
    *,
    framing: Framing = _WHOLE,
    dynamic_scale: float = 1.0,
    seed: int = 0,
    control: Control = _ALONE,
    network: AudioVisemes | None = None,
    encoding: Encoding = USUAL,
) -> Film:
    """Write `out` (MP4, 25 frames a second, playable while it loads) of the portrait speaking `speech`. Blocks.

    `framing`: what is shown and how large. `dynamic_scale`: how much the head moves, 0 to 2. `network`: hears the mouth
    where no phonemes are known, None for the packaged one. The file appears when it is whole. Uses two drawing threads
    beside the encoder's. Raises `OptionInvalid`, `RenderCancelled`, `media.avatar.errors.SpeechUnreadable`, `OSError`.
    """
    scene = _lively(portrait, framing, dynamic_scale)
    control.at(0.0)
    expected = speech.seconds()

    def on_frame(frames: int) -> None:
        _tell(control, frames, expected)

    film = write_film(
        scene,
        FaceDriver(seed=seed),
        speech,
        out,
        network if network is not None else packaged_network(),
        encoding=encoding,
        on_frame=on_frame,
    )
    control.at(1.0)
    return film


def render_pictures(
    portrait: Portrait,
    track: GrowingTrack,
    out: Path,
    *,
    framing: Framing = _WHOLE,
    seed: int = 0,
    control: Control = _ALONE,
    encoding: Encoding = USUAL,
) -> int:
    """Draw the film of speech that is being made meanwhile; returns the number of pictures. Blocks.

    `media.avatar.film.join` gives them their sound; then the film is what `render_talking` would have made. Nothing is
    told to be done before the speech is whole. Raises as `render_talking`, and `media.avatar.soundtrack.SpeechLost`.
    """

    def on_frame(frames: int) -> None:
        _tell(control, frames, track.seconds)

    scene = _lively(portrait, framing, 1.0)
    return write_pictures(scene, FaceDriver(seed=seed), track, out, encoding=encoding, on_frame=on_frame)


def _tell(control: Control, frames: int, seconds: float | None) -> None:
    """So many frames are drawn, of a film of so many seconds where that is known."""
    control.at(0.0 if not seconds else min(0.99, frames / FRAME_RATE / seconds))


def _lively(portrait: Portrait, framing: Framing, dynamic_scale: float) -> LivelyScene:
    if not 0.0 <= dynamic_scale <= _MOST_SCALE:
        raise OptionInvalid("dynamic_scale", f"{dynamic_scale} is not from 0 to {_MOST_SCALE:.0f}")
    return LivelyScene(Scene(portrait, view_of(portrait, framing)), dynamic_scale)
