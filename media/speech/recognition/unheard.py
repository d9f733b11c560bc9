"""Whether a decoder stopped before the speaker did. Pure."""

from __future__ import annotations

import numpy as np

from media.audio.frames import SPEECH_RATE, Samples

_BLOCK = SPEECH_RATE // 50
_RANGE = 22.0  # dB under the loudest moments that still count as voice
_OVER_NOISE = 8.0  # dB over the quietest moments
_ENOUGH = 0.8  # seconds of voice; less may be the end of the last word, time stamps being rough
_LEAD = 0.2


def unheard(samples: Samples, end: float) -> int | None:
    """Where speech goes on that a text ending at second `end` left out; None if there is none worth a second look.

    Whisper sometimes takes a pause for the end: after "I would like to book a table for" and a second of silence it
    may stop, though "let me think, four people" follows.
    """
    count = len(samples) // _BLOCK
    if count == 0:
        return None
    blocks = samples[: count * _BLOCK].reshape(count, _BLOCK)
    levels = 10.0 * np.log10(np.einsum("ij,ij->i", blocks, blocks) / _BLOCK + 1e-9)
    quiet, loud = np.quantile(levels, (0.1, 0.95))
    voiced = levels > max(loud - _RANGE, quiet + _OVER_NOISE)
    voiced[: int((end + 0.1) * 50)] = False
    if voiced.sum() < _ENOUGH * 50:
        return None
    return max(0, int(np.argmax(voiced)) * _BLOCK - int(_LEAD * SPEECH_RATE))
