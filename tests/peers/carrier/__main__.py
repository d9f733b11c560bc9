"""Phone an agent from a terminal: `python -m tests.peers.carrier dial URL [--say speech.wav …] [-o heard.wav]`.

URL is the voice webhook, for example http://127.0.0.1:8080/telephony/voice?agent=demo. Each recording is said when the
agent has finished speaking; what was heard is written to the file. With a microphone and a loudspeaker instead:

    arecord -qt raw -f S16_LE -r 8000 | python -m tests.peers.carrier dial URL --live | aplay -qt raw -f S16_LE -r 8000

(with SoX, `rec -q -t raw -r 8000 -c 1 -e signed -b 16 -` and `play` likewise).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from pathlib import Path

import numpy as np

from media.audio.g711 import decode_ulaw, encode_ulaw
from tests.peers.carrier import Carrier, Person
from tests.peers.phone_caller import SILENCE, PhoneCaller, load_clip
from tests.peers.playback import FRAME_BYTES


def main() -> int:
    """Dial, talk, hang up; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.carrier", description="A stand-in telephone carrier.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    dial = commands.add_parser("dial", help="call a voice webhook and say recordings to whoever answers")
    dial.add_argument("url")
    dial.add_argument("--say", type=Path, nargs="*", default=[], metavar="SPEECH.wav")
    dial.add_argument(
        "--live", action="store_true", help="talk: raw 16-bit mono PCM at 8 kHz on standard input and output"
    )
    dial.add_argument("-o", "--out", type=Path, help="write what was heard to this WAV file")
    dial.add_argument("--token", default="", help="the auth token to sign with (setting telephony.twilio.auth_token)")
    dial.add_argument("--gap", type=float, default=1.5, help="seconds of quiet after which the agent has finished")
    options = parser.parse_args()
    return asyncio.run(_dial(options))


async def _dial(options: argparse.Namespace) -> int:
    clips = [load_clip(path) for path in options.say]

    async def talk(line: PhoneCaller) -> None:
        await line.until_quiet(options.gap, 20.0)
        for clip in clips:
            print(f"saying {clip.name}", flush=True)
            spoken = line.say(clip)
            await spoken.ended.wait()
            heard = await line.until_audible(spoken.ended_at, 20.0)
            print(
                f"  answered after {heard - spoken.ended_at:.2f} s" if heard is not None else "  no answer", flush=True
            )
            await line.until_quiet(options.gap, 30.0, since=spoken.ended_at)

    async with Carrier(options.token or "c" * 32) as carrier:
        call = carrier.dial(options.url, Person(_talk_live if options.live else talk))
        await carrier.quiet()
    if options.out is not None and call.line is not None:
        call.line.record(options.out)
    ended = f"{call.status} after {call.seconds} s; {[name for name, _ in call.log]} {call.error}"
    print(ended, file=sys.stderr if options.live else sys.stdout)
    return 1 if call.error else 0


async def _talk_live(line: PhoneCaller) -> None:
    """Until the microphone ends or the other side hangs up."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def played(frame: bytes | None) -> None:
        sys.stdout.buffer.write(decode_ulaw(frame or SILENCE).tobytes())
        sys.stdout.buffer.flush()

    def listen() -> None:
        while len(samples := sys.stdin.buffer.read(2 * FRAME_BYTES)) == 2 * FRAME_BYTES:
            loop.call_soon_threadsafe(line.speak, encode_ulaw(np.frombuffer(samples, "<i2")))
        loop.call_soon_threadsafe(over.set)

    line.on_played = played
    threading.Thread(target=listen, daemon=True).start()  # a read from a terminal cannot be cancelled
    await asyncio.wait(
        [asyncio.ensure_future(over.wait()), asyncio.ensure_future(line.over.wait())],
        return_when=asyncio.FIRST_COMPLETED,
    )


if __name__ == "__main__":
    sys.exit(main())
