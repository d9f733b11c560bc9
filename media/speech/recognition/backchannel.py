"""Hearing whether someone merely listens: "uh-huh" and "mm-hmm" are no words to Whisper unless it is told of them."""

BACKCHANNEL_HINT = "Uh-huh. Mm-hmm. Stop. Hmm. Uh-huh. Mm-hmm."
"""The `hint` for a short sound (up to a second of voice) over the agent's own speech.

Without it Whisper base writes "and Thai" or "I'll try" for "uh-huh". With it most backchannels are written as such, and
short commands ("stop", "wait", "hold on") as before; "Stop." in its middle keeps that word from being drawn in. What
becomes some other word after all is unlikely: an average log probability under -1.25 in a sound of less than 0.75 s is
a backchannel more often than not, except for the words people interrupt with, which are seldom likely themselves.
"""
