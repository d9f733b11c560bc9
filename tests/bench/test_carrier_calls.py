"""A small run of the bench of calls: whatever the carrier does wrong, everything ends right. The long one is 500."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.carrier_calls import run, table


@pytest.mark.slow
async def test_sixty_calls_on_the_carriers_worst_day_end_right(tmp_path: Path) -> None:
    found = await run(tmp_path, 60, at_once=12, seed=3, hurry=True)
    assert found.wrong == [], table(found)
    assert found.outcomes.total() == 60
    assert set(found.outcomes) >= {"completed", "busy", "no-answer", "failed"}
    assert found.recordings > 0
