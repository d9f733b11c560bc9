"""From words to phonemes: the seam, and espeak-ng behind it in a process of its own."""
