"""The jobs' world and a receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.webhook_receiver import Receiver, receiving
from tests.server.jobs.conftest import world

__all__ = ["receiver", "world"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    with receiving() as made:
        yield made
