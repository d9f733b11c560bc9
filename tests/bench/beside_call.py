"""What REST traffic does to a call, and a call to it: `python -m tests.bench.beside_call [--turns N]`.

The whole server with its models in one process and no workers, its limits switched off; a caller holds one conversation
after another: alone, beside clients that ask for a job, beside clients that order speech for accounts in turn.
Clients, caller and the paced language model share the cores with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import secrets
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop
from sqlalchemy.orm import Session

from server.database import Database, create_account, create_key
from server.settings import Settings
from tests.bench import processes, talk
from tests.bench.figures import Figures, milliseconds, quantile
from tests.bench.platform import VOICE, Result, load, request, send

WEBHOOK: Final = "/telephony/voice?agent=demo"
CONNECTIONS: Final = 16
ACCOUNTS: Final = 64
"""Order speech in turn: each may have 1,000 jobs under way, and no worker takes any."""
SECONDS: Final = 600.0
"""At most; the clients end with the conversation."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.beside_call", description=__doc__)
    parser.add_argument("--turns", type=int, default=16)
    parser.add_argument("--reads", type=float, default=805, help="GETs a second at most; 0: as many as are answered")
    parser.add_argument("--orders", type=float, default=152, help="POSTs a second at most; 0: as many as are answered")
    options = parser.parse_args()
    asyncio.run(measure(options.turns, options.reads, options.orders))


async def measure(turns: int, reads: float, orders: float) -> None:
    """Three conversations on one server."""
    key = "sk_live_" + secrets.token_hex(20)
    quiet = {"VISAVIS_LIMITS__ENABLED": "false", "VISAVIS_JOBS__WORKERS": "0", "VISAVIS_BOOTSTRAP_KEY": key}
    print(processes.machine())
    with tempfile.TemporaryDirectory() as name:
        async with (
            processes.language_model(Path(name)) as llm,
            processes.server(Path(name), llm, **quiet) as (url, _),
        ):
            keys = await asyncio.to_thread(accounts, Path(name) / "data")
            job = json.loads((await send(url, order(key)))[1])["data"]["jobId"]
            await talk.guarded(talk.converse(url + WEBHOOK, talk.clips(talk.TURNS), 3))  # models have run once
            alone = await conversation(url, turns)
            show("a call alone", alone, None, None)
            read = request("GET", f"/api/jobs?id={job}", key)
            show("beside GET one job", *await beside(url, turns, [read], reads), alone)
            show("beside POST voice", *await beside(url, turns, [order(each) for each in keys], orders), alone)


def order(key: str) -> bytes:
    """A request for speech."""
    return request("POST", "/api/generate/voice", key, json.dumps(VOICE).encode())


def accounts(data: Path) -> list[str]:
    """Make accounts in the database of a server that runs; a key of each."""
    database = Database(Settings(data_dir=data).database_url)
    try:
        return [database.run_here(account, f"bench {number}") for number in range(ACCOUNTS)]
    finally:
        database.close()


def account(session: Session, name: str) -> str:
    """An account that has credits enough, and its key."""
    return create_key(session, name, create_account(session, name, plan="enterprise", credits=10**9)).secret


async def conversation(url: str, turns: int) -> Figures:
    """One call."""
    return await talk.guarded(talk.converse(url + WEBHOOK, talk.clips(talk.TURNS), turns))


async def beside(url: str, turns: int, asked: list[bytes], rate: float) -> tuple[Figures, Result]:
    """One call while clients in another process send `asked` again and again."""
    near, far = multiprocessing.Pipe()
    clients = multiprocessing.get_context("spawn").Process(target=drive, args=(url, asked, rate, far))
    clients.start()
    await asyncio.to_thread(near.recv)
    figures = await conversation(url, turns)
    near.send("stop")
    result: Result = await asyncio.to_thread(near.recv)
    clients.join()
    return figures, result


def drive(url: str, asked: list[bytes], rate: float, pipe: Connection) -> None:
    """The clients' process."""
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80

    async def run() -> Result:
        pipe.send("ready")
        stopped: Callable[[], bool] = pipe.poll
        return await load("", host, port, asked, SECONDS, CONNECTIONS, stopped=stopped, rate=rate)

    pipe.send(uvloop.run(run()))


def show(title: str, call: Figures, result: Result | None, alone: Figures | None) -> None:
    """A line of the table."""
    middle, late = quantile(call.answered, 0.5), quantile(call.answered, 0.95)
    was = quantile(alone.answered, 0.95) if alone is not None else None
    more = "" if was is None or late is None else f" (p95 {1000 * (late - was):+.0f})"
    said = (
        f"voice to voice p50 {milliseconds(middle)}, p95 {milliseconds(late)} ms{more}, {call.lost} lost {call.failed}"
    )
    print(f"{title}: {said}" + ("" if result is None else f"\n    {result}"), flush=True)


if __name__ == "__main__":
    main()
