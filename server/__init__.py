"""The composition root: settings, the ASGI application, endpoints, storage and the command line."""
