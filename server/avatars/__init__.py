"""Avatars that people make: faces enrolled from their pictures, kept on disk and in the database."""
