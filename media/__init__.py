"""Signals: audio frames, model workers, playout, speech models and the manifest of their weights."""
