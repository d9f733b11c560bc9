"""Faces for live sessions: avatars of agents, drawn by one renderer, each following its session's speech and state."""
