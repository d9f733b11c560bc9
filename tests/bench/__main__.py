"""Measure the server as a caller meets it: `python -m tests.bench [--only PART …] [--turns N] [--no-write]`.

Starts the server with the real models and a fresh data directory, and a language model of fixed pace; calls it on
loopback; prints a table and writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from server.settings import Settings, load_settings
from tests.bench import processes, talk
from tests.bench.figures import Figures, milliseconds
from tests.bench.paced_llm import FIRST_TOKEN_MS, TOKENS_PER_SECOND
from tests.bench.report import Part, Report

PARTS: Final = ("one", "barge", "hesitation", "four", "eight", "others")
OTHERS: Final = (
    ("Word errors: windowed against full-context recognition", ("tests.bench.word_errors",)),
    ("Finished or not: the completion judge", ("tests.bench.completion",)),
    ("Voices", ("tests.bench.voices", "--rounds", "10")),
    ("The face alone", ("tests.bench.avatar",)),
    ("Live faces in the browser", ("tests.bench.faces",)),
    ("Browser sessions on good and bad networks", ("tests.bench.browser", "--words")),
    ("What sessions leave behind", ("tests.bench.sessions",)),
    ("Calls of ours: from picking up to the greeting", ("tests.bench.outbound",)),
    ("Who answered: people and machines", ("tests.bench.answering",)),
    ("Calls through a carrier on its worst day", ("tests.bench.carrier_calls", "--calls", "500")),
    ("Batch renders", ("tests.bench.studio",)),
    ("Renders over REST", ("tests.bench.renders",)),
    ("Throughput of the platform", ("tests.bench.platform",)),
    ("REST traffic beside a call", ("tests.bench.beside_call", "--turns", "16")),
    ("Jobs and kill -9", ("tests.bench.jobs", "--kills", "50", "--jobs", "300")),
)
MANY: Final = 8
"""Calls at once of the part `eight`."""
OTHER_TIMEOUT: Final = 900


def main() -> int:
    options = arguments()
    report = asyncio.run(bench(options))
    print(report.table())
    for title, _, output in report.sections:
        print(f"\n{title}\n{output}")
    if options.json:
        options.json.write_text(json.dumps([asdict(part) for part in report.parts], indent=1))
    if not options.no_write:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(report.markdown(), encoding="utf-8")
        print(f"\nwritten: {options.out}")
    return 1 if any(part.figures.failed for part in report.parts) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--turns", type=int, default=16, help="turns of the one call")
    parser.add_argument("--interruptions", type=int, default=10)
    parser.add_argument("--calls", type=int, default=4, help="calls at once")
    parser.add_argument("--turns-each", type=int, default=25, help="turns of each of the calls at once")
    parser.add_argument("--out", type=Path, default=processes.ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--json", type=Path, help="also write every single figure here")
    parser.add_argument("--no-write", action="store_true", help="print only")
    parser.add_argument("--keep-logs", type=Path, help="put the processes' logs here")
    return parser.parse_args()


async def bench(options: argparse.Namespace) -> Report:
    settings = load_settings(os.environ)
    report = Report(
        machine=processes.machine(),
        settings=describe(settings),
        pace=f"{FIRST_TOKEN_MS:.0f} ms to the first token, {TOKENS_PER_SECOND:.0f} tokens/s",
        command="python -m tests.bench " + " ".join(sys.argv[1:]),
    )
    if set(options.only) - {"others"}:
        with tempfile.TemporaryDirectory(prefix="visavis-bench-") as temporary:
            folder: Path = options.keep_logs or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            async with processes.language_model(folder) as llm, processes.server(folder, llm) as (url, pid):
                await calls(options, report, f"{url}/telephony/voice?agent=demo", pid)
    if "others" in options.only:
        for title, command in OTHERS:
            await other(title, command, report)
    return report


async def calls(options: argparse.Namespace, report: Report, url: str, pid: int) -> None:
    """Everything that is measured on the telephone."""
    questions, interruptions = talk.clips(talk.TURNS), talk.clips(talk.INTERRUPTIONS)
    if "one" in options.only:
        work = talk.guarded(talk.converse(url, questions, options.turns))
        await part(report, "one call", 1, work, pid)
    if "barge" in options.only:
        work = talk.guarded(talk.interrupt(url, questions, interruptions, options.interruptions))
        await part(report, "a caller who interrupts", 1, work, pid)
    if "hesitation" in options.only:
        figures = await talk.guarded(talk.converse(url, talk.clips(["hesitation"]), 3))
        fine = len(figures.answered)
        waits = ", ".join(milliseconds(wait) for wait in figures.answered)
        report.hesitation = f"{fine} of {figures.turns} times one turn (answered after {waits or '–'} ms)"
    if "four" in options.only:
        work = talk.together(url, questions, options.calls, options.turns_each)
        await part(report, f"{options.calls} calls at once", options.calls, work, pid)
    if "eight" in options.only:
        work = talk.together(url, questions, MANY, options.turns_each)
        await part(report, f"{MANY} calls at once", MANY, work, pid)


async def part(report: Report, title: str, calls: int, work: Awaitable[Figures], pid: int) -> None:
    """Run one part and note the server's memory beside it."""
    print(f"{title} …", file=sys.stderr, flush=True)
    memory = processes.MemoryWatch(pid)
    watching = asyncio.create_task(memory.watch())
    try:
        figures = await work
        memory.sample()
    finally:
        watching.cancel()
    report.parts.append(Part(title, figures, memory.peak, calls))


async def other(title: str, command: Sequence[str], report: Report) -> None:
    """Run another benchmark, if it is there, and take what it prints."""
    if importlib.util.find_spec(command[0]) is None:
        return
    print(f"{title} …", file=sys.stderr, flush=True)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=processes.ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(OTHER_TIMEOUT):
            output, _ = await child.communicate()
        text = output.decode(errors="replace") + ("" if child.returncode == 0 else f"\nfailed: {child.returncode}")
    except TimeoutError:
        child.kill()
        await child.wait()
        text = f"not done after {OTHER_TIMEOUT} s"
    report.sections.append((title, "python -m " + " ".join(command), text))


def describe(settings: Settings) -> str:
    """The settings that matter for speed."""
    asr, tts = settings.asr, settings.tts
    return (
        f"whisper-{asr.model} ({asr.device}, {asr.compute_type}, {asr.threads} threads), "
        f"{tts.voice} ({tts.threads} threads), settings otherwise as in configs/default.yaml and the environment"
    )


if __name__ == "__main__":
    sys.exit(main())
