"""Telephone calls as a business: who may be called, what it costs, what became of it."""
