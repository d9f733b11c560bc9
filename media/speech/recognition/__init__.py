"""Speech recognition: Whisper in short windows, hypotheses while the speaker speaks, and the final text."""
