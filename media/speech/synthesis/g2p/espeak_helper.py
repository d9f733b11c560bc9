"""The process that holds espeak-ng: JSON lines in, JSON lines out.

espeak-ng is GPL-3.0 and not thread-safe. Nothing but this program loads it; it runs by itself, imports only the
standard library, and is started as `python -I -S espeak_helper.py LIBRARY DATA_FOLDER`.

A request is {"voice": "en-us", "texts": ["hello world", ...]}; its answer {"phonemes": ["həlˈoʊ wˈɜːld", ...]} with a
space between the words as espeak joins them, or {"error": "...", "kind": "voice"}. It ends when its input ends.
"""

import ctypes
import json
import signal
import sys

AUDIO_OUTPUT_SYNCHRONOUS = 2
CHARS_UTF8 = 1
PHONEMES_IPA = 2
LONGEST_TEXT = 4000


class Espeak:
    """The library, with the voice that was used last."""

    def __init__(self, library: str, data: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        if self._library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), 0) <= 0:
            sys.exit(f"espeak-ng cannot read its data in {data}")
        self._voice = ""

    def use(self, voice: str) -> bool:
        """Switch to a voice, or to its language's ("fr" for "fr-fr"); False if there is neither."""
        if voice != self._voice:
            names = dict.fromkeys((voice, voice.split("-", maxsplit=1)[0]))
            found = any(self._library.espeak_SetVoiceByName(name.encode()) == 0 for name in names)
            self._voice = voice if found else ""
        return self._voice == voice

    def phonemes(self, text: str) -> str:
        """IPA of one text; espeak takes it a clause at a time."""
        rest = ctypes.c_char_p(text.replace("\0", " ")[:LONGEST_TEXT].encode("utf-8", "replace"))
        clauses = []
        while rest.value is not None:
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), CHARS_UTF8, PHONEMES_IPA)
            if clause:
                clauses.append(clause.decode("utf-8", "replace"))
        return " ".join(clauses)


def main() -> None:
    """Answer requests until the input ends."""
    # Ctrl-C in a terminal reaches the whole process group: whether to stop is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    library, data = sys.argv[1:3]
    espeak = Espeak(library, data)
    espeak.use("en-us")
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if espeak.use(request["voice"]):
            answer: dict[str, object] = {"phonemes": [espeak.phonemes(text) for text in request["texts"]]}
        else:
            answer = {"error": f"espeak-ng has no voice {request['voice']!r}", "kind": "voice"}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
