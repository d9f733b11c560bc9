"""Kill a server and its workers at random moments: `python -m tests.bench.jobs [--kills 50] [--jobs 300]`.

Checks that no job, credit or message was lost or doubled, and says how soon jobs went on after each kill. With
`--database URL` on an empty PostgreSQL database instead of SQLite. Exits with 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from server.database import Database
from tests.peers.webhook_receiver import receiving
from tests.server.jobs.killing import BACK_S, Findings, killed_server, run


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.jobs", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--database", help="SQLAlchemy's URL of an empty PostgreSQL database")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        folder = Path(name)
        with killed_server(folder, options.database) as server:
            database = Database(options.database or f"sqlite:///{folder}/data/visavis.db", threads=2)
            found = run(server, database, receiver, jobs=options.jobs, kills=options.kills)
            database.close()
    print(table(found))
    return 1 if found.wrong else 0


def table(found: Findings) -> str:
    """What came of it, as Markdown."""
    back = sorted(found.back_s) or [0.0]
    lines = [
        "| jobs | kills (server, worker) | ended | messages | going on after a kill: median, worst | all in |",
        "|---|---|---|---|---|---|",
        f"| {found.jobs} | {sum(found.kills.values())} ({found.kills['server']}, {found.kills['worker']})"
        f" | {', '.join(f'{count} {status}' for status, count in sorted(found.statuses.items()))}"
        f" | {found.messages} | {statistics.median(back):.1f} s, {back[-1]:.1f} s | {found.seconds:.0f} s |",
        "",
    ]
    lines += [f"wrong: {text}" for text in found.wrong] or ["Nothing lost, nothing doubled."]
    if back[-1] > BACK_S:
        lines.append(f"Slower than {BACK_S:g} s at least once.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
