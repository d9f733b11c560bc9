"""Telephone protocols, without I/O of their own."""
