"""Streaming chat models behind one protocol: OpenAI-compatible endpoints and the embedded llama.cpp."""
