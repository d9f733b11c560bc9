"""The face: a portrait becomes an avatar pack, and a renderer makes it speak."""
