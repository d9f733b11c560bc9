"""Plivo: audio-stream messages."""
