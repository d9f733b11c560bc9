"""Agents: definitions, dialogue with a language model, tools, knowledge and the session driver."""
