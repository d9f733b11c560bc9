"""Voice activity: where speech begins and ends in live audio (Silero VAD and a pure segmenter over it)."""
