"""Each endpoint, fuzzed."""

from __future__ import annotations

import os
from pathlib import Path

from server.credits import audit
from tests.fuzz.runner import fuzz
from tests.fuzz.service import service

CASES = int(os.environ.get("FUZZ_CASES", "6"))


def test_no_case_is_answered_as_it_must_not_be(tmp_path: Path) -> None:
    with service(tmp_path) as served:
        reports = list(fuzz(served, CASES))
        assert len(reports) == len(served.parts.gate.registry.endpoints)
        assert "\n\n".join(f"{report.endpoint}: {report.wrong}" for report in reports if report.wrong) == ""
        assert all(report.cases for report in reports)
        assert served.database.run_here(audit) == []
