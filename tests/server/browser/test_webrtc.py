from __future__ import annotations

import asyncio

import numpy as np

from tests.peers.webrtc_caller import RATE, calling
from tests.server.browser.fakes import tone
from tests.server.browser.serving import KEY, serving


def frequency(samples: np.ndarray, rate: int) -> float:
    """The strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


async def test_caller_and_agent_hear_each_other() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        session.say(1.0)
        caller.microphone.say(tone(2.0, RATE, 880.0))
        await caller.until_audible()
        await session.heard_all.wait()
        await session.until(2.0)
        await caller.listen(0.3)
        loud = np.concatenate([h.samples for h in caller.heard if h.level > 0.1])
        assert len(loud) / RATE > 0.8
        assert abs(frequency(loud, RATE) - 440) < 10
        assert abs(frequency(session.voice()[8000:24000], 16_000) - 880) < 10
        ends = [frame.end for frame in session.frames]
        assert [frame.index for frame in session.frames[1:]] == ends[:-1], "gapless"
        assert server.factory.asked[0][0] == "demo"
        assert server.factory.asked[0][3] == "browser"
