"""Speech models behind small protocols: voice activity, end of turn, recognition, synthesis."""
