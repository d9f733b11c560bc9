"""End of turn: whether a stretch of speech sounds finished."""
