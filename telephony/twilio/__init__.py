"""Twilio: media-stream messages, voice responses and request signatures."""
