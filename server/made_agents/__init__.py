"""Agents that people make, beside those of the settings' folder."""
