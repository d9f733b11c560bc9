"""The console at `/console`: signed in with an API key, an account sees and steers what is its own."""
