"""Speech synthesis: text in, chunks of speech with word and phoneme times out."""
