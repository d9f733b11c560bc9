"""The session driver: one conversation on one link, from the first greeting to the last word."""
