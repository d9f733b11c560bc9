"""How a browser's session does on good and bad networks: `python -m tests.bench.browser [--rounds N] [--words]`.

The server's endpoints and an independent aiortc caller, in one process over real sockets; between them a relay that
loses and delays packets. The session is a stand-in that speaks and listens, so that the media path alone is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence

import numpy as np
import soxr

from media.audio.frames import SPEECH_RATE, Samples
from media.models import model_dir
from tests.bench.word_errors import recorded, short_window, word_errors
from tests.peers.webrtc_caller import RATE, Relay, WebRtcCaller, calling
from tests.server.browser.fakes import FakeSession
from tests.server.browser.serving import KEY, Server, serving

GAP: float = 1.0
NETWORKS: dict[str, tuple[float, float]] = {
    "clean": (0.0, 0.0),
    "1 % loss": (0.01, 0.0),
    "5 % loss": (0.05, 0.0),
    "5 % loss + 100 ms jitter": (0.05, 0.1),
}


def quantiles(values: Sequence[float], scale: float = 1000.0) -> str:
    """Median and 95th percentile in milliseconds."""
    p50, p95 = np.quantile(values, [0.5, 0.95]) * scale
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms"


async def joins(server: Server, count: int) -> list[float]:
    """Seconds from asking for a session until its agent is heard."""
    times = []
    for _ in range(count):
        began = time.monotonic()
        async with calling(server.url, key=KEY) as caller:
            session = await server.factory.sessions.get()
            session.say(0.5)
            times.append(await caller.until_audible() - began)
    return times


async def silences(server: Server, count: int) -> list[float]:
    """Seconds from the server's decision to interrupt until the last sound at the caller."""
    times = []
    async with calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        for _ in range(count):
            session.say(2.0)
            since = time.monotonic()
            await caller.until_audible(since)
            await caller.listen(0.4)
            asked = time.monotonic()
            session.interrupt()
            await caller.listen(0.6)
            last = caller.last_audible()
            times.append(max(0.0, (last or asked) - asked))
    return times


async def through(
    server: Server, loss: float, jitter: float, sound: Samples
) -> tuple[FakeSession, WebRtcCaller, float]:
    """Send a sound (48 kHz) through a network; returns both ends and when it begins at the session, in seconds."""
    relay = Relay(loss=loss, jitter=jitter)
    try:
        async with calling(server.url, key=KEY, relay=relay) as caller:
            session = await server.factory.sessions.get()
            await caller.event("ready")
            await session.until(2.0)  # the wait has learnt what the network is like
            number = len(caller.microphone.sent_at)
            caller.microphone.say(sound)
            await session.until(number / 50 + len(sound) / RATE + 0.5)
            await asyncio.sleep(0.1)
            while not any(event["type"] == "quality" for event in caller.events):
                await caller.news()
            return session, caller, number / 50
    finally:
        relay.close()


def delays(session: FakeSession, caller: WebRtcCaller) -> list[float]:
    """Seconds from the microphone to the session, for each 20 ms that was heard after the first two seconds."""
    sent = caller.microphone.sent_at
    found = []
    for frame, at in zip(session.frames, session.heard_at, strict=True):
        number = round(frame.index / 320)
        if 100 <= number < len(sent):
            found.append(at - sent[number])
    return found


def alive(voice: Samples, clean: Samples) -> float:
    """The share of the 20 ms blocks with speech in them, by the clean recording, that sound here too.

    The stream begins with the packet that came first, which on a bad network is not the first one: it is aligned.
    """
    count = min(len(voice), len(clean)) // 320
    level, reference = (np.sqrt(np.mean(s[: count * 320].reshape(-1, 320) ** 2, axis=1)) for s in (voice, clean))
    speech = reference > 0.01
    shares = [np.mean(np.roll(level, shift)[speech] > 0.2 * reference[speech]) for shift in range(-8, 9)]
    return float(max(shares))


async def networks(
    server: Server, clips: list[tuple[Samples, str]], transcribe: Callable[[Samples], str] | None
) -> None:
    """Every network: what arrives, how late, and how many words are understood."""
    gap = np.zeros(int(GAP * RATE), np.float32)
    parts: list[Samples] = []
    for samples, _ in clips:
        parts += [soxr.resample(samples, SPEECH_RATE, RATE).astype(np.float32), gap]
    sound = np.concatenate(parts)
    clean: Samples | None = None
    print("network                   delay to the session       sounding  recovered  concealed  late   word errors")
    for name, (loss, jitter) in NETWORKS.items():
        session, caller, start = await through(server, loss, jitter, sound)
        voice = session.voice()[int(start * SPEECH_RATE) :]
        clean = voice if clean is None else clean
        quality = next(event for event in reversed(caller.events) if event["type"] == "quality")
        errors = "-" if transcribe is None else await asyncio.to_thread(_errors, voice, clips, transcribe)
        print(
            f"{name:25} {quantiles(delays(session, caller)):26} {100 * alive(voice, clean):6.1f} % "
            f"{quality['recovered']:10} {quality['concealed']:10} {quality['late']:5}   {errors}"
        )


def _errors(voice: Samples, clips: list[tuple[Samples, str]], transcribe: Callable[[Samples], str]) -> str:
    wrong, total, begin = 0, 0, 0
    for samples, text in clips:
        end = begin + len(samples) + int(GAP * SPEECH_RATE / 2)
        mistakes, words = word_errors(text, transcribe(voice[begin:end]))
        wrong, total = wrong + mistakes, total + words
        begin += len(samples) + int(GAP * SPEECH_RATE)
    return f"{100 * wrong / total:.1f} % of {total}"


async def main(rounds: int, *, words: bool) -> None:
    clips = list(recorded()) * rounds
    transcribe = short_window(model_dir("whisper-base")) if words else None
    async with serving(within=3600, max_sessions=100) as server:
        print(f"from asking for a session to the agent's first sound: {quantiles(await joins(server, 10))}")
        print(f"from interrupting to silence at the caller: {quantiles(await silences(server, 10))}")
        await networks(server, clips, transcribe)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often the recordings are played")
    parser.add_argument("--words", action="store_true", help="also transcribe what arrives (needs whisper-base)")
    options = parser.parse_args()
    asyncio.run(main(options.rounds, words=options.words))
