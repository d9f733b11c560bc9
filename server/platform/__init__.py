"""The platform's own endpoints: keys, settings, usage, and everything that `/api/generate` and F4 accept."""
