"""Telnyx: media-stream messages."""
