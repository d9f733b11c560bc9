"""Greetings of people and machines: lists of what is said, and what makes telephone audio of them."""
