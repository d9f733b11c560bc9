"""Kokoro-82M, run directly on onnxruntime."""
