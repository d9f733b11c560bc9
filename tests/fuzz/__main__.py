"""`python -m tests.fuzz [--cases N] [--only TEXT]`: the fuzzing at length. Ends with 1 where anything was wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from server.credits import audit
from tests.fuzz.runner import fuzz
from tests.fuzz.service import service


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="for each endpoint (default: 1000)")
    parser.add_argument("--only", default="", help="endpoints whose name contains this, such as /api/keys")
    options = parser.parse_args()
    wrong = total = 0
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as served:
        for report in fuzz(served, options.cases, only=options.only, repeatable=False):
            statuses = " ".join(f"{status}×{count}" for status, count in sorted(report.statuses.items()))
            print(f"{report.endpoint:55} {report.cases:5} cases {report.seconds:6.1f} s  {statuses}", flush=True)
            total += report.cases
            if report.wrong:
                wrong += 1
                print(report.wrong, flush=True)
        books = served.database.run_here(audit)
    print(f"{total} cases, {wrong} endpoints with something wrong, books: {'; '.join(books) or 'right'}")
    return 1 if wrong or books else 0


if __name__ == "__main__":
    sys.exit(main())
