"""Visemes from sound alone, for speech whose phonemes nobody gives: recordings, phone lines, other voices.

`features` makes log-mel frames, `network` runs the trained network (`visemes.onnx`, 10 ms steps, 60 ms of look-ahead).
The weights were made by `python -m media.avatar.train_visemes` from speech that our own voices spoke, whose phoneme
times are the labels; `figures.json` holds what that training measured and the weights' checksum.
"""
