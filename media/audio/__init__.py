"""Sample-indexed audio: frames, resampling, codecs, WAV files and the playout ledger."""
