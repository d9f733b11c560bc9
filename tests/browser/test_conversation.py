"""The real server, a recorded voice as Chromium's microphone: what the page receives is heard, read and seen."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soxr
from playwright.async_api import Browser, Page, expect

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.wav import read_wav
from tests.bench.word_errors import SPEECH, word_errors
from tests.browser.chromium import chromium, opened, view, write_wav
from tests.server.whole import Whole, whole

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SILENCE = 9.0
"""Seconds before the recorded question: the agent greets first."""

RECORD = """
  window.received = [];
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...given) {
      super(...given);
      this.addEventListener("track", ({ track }) => {
        if (track.kind === "audio") record(track);
      });
    }
  };
  async function record(track) {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const samples = new Float32Array(value.numberOfFrames);
      value.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      window.received.push({ samples, rate: value.sampleRate });
      value.close();
    }
  }
"""

WATCH = """
  (mouth) => {
    const video = document.getElementById("video");
    const canvas = new OffscreenCanvas(256, 256);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    window.seen = [];
    const look = () => {
      context.drawImage(video, 0, 0, 256, 256);
      const { data } = context.getImageData(mouth.x, mouth.y, mouth.width, mouth.height);
      const light = [];
      for (let at = 0; at < data.length; at += 4) light.push(data[at] + data[at + 1] + data[at + 2]);
      const before = window.seen.at(-1)?.light;
      const moved = before ? light.reduce((sum, value, i) => sum + Math.abs(value - before[i]), 0) / light.length : 0;
      for (const one of window.seen.slice(-2)) one.light = undefined;
      window.seen.push({ state: document.getElementById("stage").dataset.state, moved, light });
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  }
"""
SEEN = "([state, count]) => seen.filter((one) => one.state === state).length >= count"
FRAMES = 12
HEARD = """
  () => [...document.querySelectorAll(".line--agent .line__text")].map((text) => {
    const copy = text.cloneNode(true);
    for (const cut of copy.querySelectorAll("del")) cut.remove();
    return copy.textContent;
  })
"""
MOUTH = {"x": 100, "y": 118, "width": 56, "height": 50}
"""Where the demo agent's mouth is, of 256 pixels."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def speaking(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Chromium whose microphone asks when the restaurant closes, and again should nobody have answered."""
    question = read_wav(SPEECH / "open_hours.wav", rate=SPEECH_RATE).samples
    said = np.concatenate([silence(SILENCE), question, silence(20.0), question, silence(60.0)])
    path = tmp_path_factory.mktemp("voice") / "microphone.wav"
    async with chromium(write_wav(path, (said * 32767).astype(np.int16), SPEECH_RATE)) as browser:
        yield browser


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SPEECH_RATE), np.float32)


async def received(page: Page) -> Samples:
    """All sound that has come to the page, 16 kHz."""
    packed = await page.evaluate(
        """() => {
             const all = new Int16Array(received.reduce((sum, { samples }) => sum + samples.length, 0));
             let at = 0;
             for (const { samples } of received) for (const sample of samples) all[at++] = sample * 32767;
             const bytes = new Uint8Array(all.buffer);
             let text = "";
             for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
             return { rate: received[0].rate, data: btoa(text) };
           }"""
    )
    samples = np.frombuffer(base64.b64decode(packed["data"]), np.int16).astype(np.float32) / 32768
    return soxr.resample(samples, packed["rate"], SPEECH_RATE)  # type: ignore[no-any-return]


def read_back(server: Whole, samples: Samples) -> list[str]:
    """What our recogniser hears in it, for each stretch between two silences of a second."""
    recogniser = server.parts.engine.recogniser
    assert recogniser is not None
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    assert len(loud)
    bounds = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(loud)) if b - a > SPEECH_RATE), len(loud)]
    texts = []
    for first, last in pairwise(bounds):
        stretch = samples[max(0, loud[first] - 1600) : loud[last - 1] + 1600]
        texts.append(server.run(recogniser.transcribe(stretch, deadline=0.0, language="en")).text)
    return texts


async def test_the_agent_is_heard_and_its_face_moves_with_its_voice(speaking: Browser, tmp_path: Path) -> None:
    with whole(tmp_path) as server:
        async with opened(speaking, server.url, script=RECORD) as page:
            await page.click("#talk")
            await view(page, "live")
            await expect(page.locator("#stage")).to_have_class("stage__frame stage__frame--face")
            await page.evaluate(WATCH, MOUTH)
            yours = page.locator(".line--you:not(.line--partial)", has_text="close")
            await expect(yours).to_be_visible(timeout=60_000)
            await expect(page.locator("#timing-total")).to_have_text(re.compile(r"^\d\.\d\d s$"), timeout=60_000)
            await page.wait_for_selector('#stage[data-state="listening"]')  # the timing is told when the answer begins
            await page.wait_for_function(SEEN, arg=["listening", FRAMES])
            lines: list[str] = await page.evaluate(HEARD)
            heard = read_back(server, await received(page))
            while not await page.evaluate(SEEN, ["speaking", FRAMES]):  # a busy machine sends few pictures
                await page.fill("#typed", "What time do you close today?")
                await page.keyboard.press("Enter")
                for state in ("speaking", "listening"):
                    await page.wait_for_selector(f'#stage[data-state="{state}"]')
            seen: list[dict[str, Any]] = await page.evaluate("() => seen.map(({ state, moved }) => ({ state, moved }))")
            await page.click("#end")
    assert "help" in " ".join(heard[:-1]).lower()  # a busy machine may take a breath within the greeting
    assert "ten" in lines[-1]
    wrong, count = word_errors(lines[-1], heard[-1])  # the greeting's names are spelt as the recogniser pleases
    assert wrong / count < 0.3, heard
    moved = {state: [one["moved"] for one in seen if one["state"] == state] for state in ("speaking", "listening")}
    assert np.mean(moved["speaking"]) > 2 * np.mean(moved["listening"])
