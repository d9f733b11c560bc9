"""`call`: hold a conversation from recordings, in this process, with the same session code as a telephone."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.commands.common import CommandError, settings_from_environment
from server.commands.serve import open_database, prepare_models
from server.logs import configure_logs
from server.settings import Settings

if TYPE_CHECKING:
    from media.audio.frames import Samples
    from server.database import Database

STAGES = ("speech ended", "transcript", "confirmed", "first_token", "first_clause", "first_audio", "first_sound")
_BAR_MS = 25


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser: argparse.ArgumentParser = commands.add_parser("call", help="talk to an agent with recordings")
    parser.add_argument("recordings", nargs="+", type=Path, metavar="WAV", help="what the caller says, a turn each")
    parser.add_argument("--agent", default="demo", help="the agent's id (default: demo)")
    parser.add_argument("--out", type=Path, metavar="WAV", help="record the call: the caller left, the agent right")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Hold the conversation; returns the exit code."""
    settings = settings_from_environment()
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secrets())
    said = [_read(path) for path in options.recordings]
    prepare_models(settings)
    database = open_database(settings)
    try:
        return asyncio.run(_call(settings, database, options.agent, said, options.out))
    finally:
        database.close()


def _read(path: Path) -> Samples:
    from media.audio.frames import SPEECH_RATE  # noqa: PLC0415 - a wrong command line is answered before numpy is there
    from media.audio.wav import WavError, read_wav  # noqa: PLC0415 - as above

    try:
        return read_wav(path, rate=SPEECH_RATE).samples
    except WavError as error:
        raise CommandError(str(error)) from None


async def _call(settings: Settings, database: Database, agent: str, said: list[Samples], out: Path | None) -> int:
    from server.engine import Engine  # noqa: PLC0415 - as above
    from server.metrics import Metrics  # noqa: PLC0415 - as above
    from server.recording import RecordingLink  # noqa: PLC0415 - as above

    engine = Engine(settings, database, Metrics())
    try:
        await engine.start()
        if not engine.has_agent(agent):
            raise CommandError(f"there is no agent {agent!r}; there are: {', '.join(sorted(engine.agents))}")
        link = RecordingLink(said, show=_show)
        call_id = f"call_{secrets.token_hex(8)}"
        session = engine.open_session(agent, link, call_id=call_id, peer="", channel=link.kind)
        async with asyncio.TaskGroup() as group:
            group.create_task(session.run())
            group.create_task(link.play(session))
    finally:
        await engine.close()
    if out is not None:
        _write(out, link.stereo(), link.rate)
        _say(f"recorded in {out}")
    return 0


def _show(event: str, data: dict[str, object]) -> None:
    """Print what happens, as it happens."""
    match event:
        case "transcript" if data["final"]:
            _say(f"caller: {data['text']}")
        case "answer":
            _say(f"agent:  {data['text']}{' —' if data['interrupted'] else ''}")
        case "discarded":
            _say(f"        ({data['reason']}, no turn)")
        case "latency":
            _say(_waterfall(data))


def _waterfall(data: dict[str, object]) -> str:
    """A turn's stages, milliseconds after the end of the caller's speech."""
    lines = []
    before = 0
    for stage in STAGES[1:]:
        at = data.get(stage)
        if isinstance(at, int):
            bar = " " * max(0, before // _BAR_MS) + "█" * max(1, (at - before) // _BAR_MS)
            lines.append(f"        {stage.replace('_', ' '):>12} {at:5d} ms  {bar}")
            before = max(before, at)
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _write(path: Path, stereo: Samples, rate: int) -> None:
    from media.audio.frames import to_int16  # noqa: PLC0415 - as above

    try:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(to_int16(stereo).tobytes())
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
