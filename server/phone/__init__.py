"""The telephone: the webhook that answers, the socket that carries, and the link between a line and a session."""
