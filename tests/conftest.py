"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.peers.postgres", "tests.peers.redis", "tests.peers.s3"]

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("visavis", deadline=None)
settings.load_profile("visavis")
