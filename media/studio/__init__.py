"""Batch media with the live engine's own voice and face, as fast as the machine allows, in bounded memory.

`voice` speaks a text into a WAV file, `talking` has a portrait speak a recording into an MP4, `stills` makes posters.
`framing` and `scene` put the animated face back into the whole picture; `loudness` measures and
masters; `control` is how a render tells how far it is and is told to stop. Nothing here fetches or decodes what
strangers send.
"""
