"""The web pages that the server shows people, and the files they are made of."""
