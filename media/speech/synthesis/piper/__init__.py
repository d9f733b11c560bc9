"""Piper's VITS voices, run directly on onnxruntime."""
