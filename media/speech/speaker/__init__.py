"""Who speaks: a voice as a point in space, near to other recordings of the same person.

`encoder` makes the point of speech, `checkpoint` and `graph` bring the encoder's weights into a form that onnxruntime
runs, `nearest` finds the packaged voice that sounds most like somebody, and `measure_voices` makes the list it reads.
"""

from __future__ import annotations

from media.speech.speaker.encoder import MODEL, SpeakerEncoder, TooLittleSpeech
from media.speech.speaker.nearest import Embedding, Nearest, nearest_voice, voice_embeddings

__all__ = [
    "MODEL",
    "Embedding",
    "Nearest",
    "SpeakerEncoder",
    "TooLittleSpeech",
    "nearest_voice",
    "voice_embeddings",
]
