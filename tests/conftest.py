"""Settings of all tests."""

from __future__ import annotations

import anyio._backends._asyncio
import anyio._core._fileio
from hypothesis import settings

# anyio brings a plugin of pytest's, so pytest rewrites its modules as they are imported. It imports some only when they
# are needed, deep inside a request on a server's thread, where CPython 3.11's compiler may fail (SystemError: AST
# constructor recursion depth mismatch). So they are imported here.
_EARLY = (anyio._backends._asyncio, anyio._core._fileio)

pytest_plugins = ["tests.peers.postgres", "tests.peers.redis", "tests.peers.s3"]

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("visavis", deadline=None)
settings.load_profile("visavis")
