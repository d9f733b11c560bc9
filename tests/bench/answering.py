"""Who answered: people, machines, screeners and announcements told apart: `python -m tests.bench.answering`.

Plays every greeting of tests/bench/greetings (8 kHz μ-law, noise, several voices) to the real watch with the real
recogniser and voice activity, in virtual time: a recognition takes as long as the processor worked on it, and `--load`
seconds more. Prints how many verdicts are right 2.5 s after the answer, whether a person would have been hung up on,
when the verdicts came, the confusion of parties, and how far the end of a machine's greeting was missed. The list
called tuning was in view when the rules were made, the one called held out was not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.audio.g711 import PHONE_RATE
from media.audio.resample import StreamResampler
from media.models import model_dir
from media.speech.activity.silero import SileroModel
from media.speech.protocols import Transcript
from media.speech.recognition.whisper import WhisperOptions, WhisperRecogniser
from server.phone.watch import AnsweringWatch
from telephony.answering import GreetingOver, Verdict
from telephony.greetings import Party
from tests.bench.figures import quantile
from tests.bench.greetings.corpus import LISTS, TAIL, Greeting, Speaker, read_list
from tests.virtual_time import run_virtual

LIMIT = 2.5
"""Seconds after the answer within which a verdict has to be right."""
FRAME = PHONE_RATE // 50
PARTIES = tuple(party.value for party in Party)


class TimedRecogniser:
    """Recognises at once, and lets as much virtual time pass as the processor took. `texts` keeps what it heard."""

    busy = False

    def __init__(self, recogniser: WhisperRecogniser, load: float) -> None:
        self._recogniser = recogniser
        self._load = load
        self.texts: list[str] = []

    async def transcribe(
        self,
        samples: Samples,
        *,
        deadline: float,
        language: str | None = None,
        hint: str = "",
        word_times: bool = False,
        slot: str | None = None,
    ) -> Transcript:
        began = time.process_time()
        heard = self._recogniser.transcribe_now(samples, language=language, hint=hint, word_times=word_times)
        await asyncio.sleep(self._load + time.process_time() - began)
        self.texts.append(heard.text)
        return heard


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one greeting. `over_late`: seconds from the end of its last sound to the end that was noticed."""

    greeting: Greeting
    verdicts: tuple[Verdict, ...]
    texts: tuple[str, ...]
    over_late: float | None

    @property
    def in_time(self) -> Verdict | None:
        """The verdict that stands at the limit."""
        return next((verdict for verdict in reversed(self.verdicts) if verdict.at <= LIMIT), None)

    @property
    def human(self) -> bool:
        return self.greeting.party == Party.HUMAN.value

    @property
    def right(self) -> bool:
        """Whether person or not was told in time."""
        return self.in_time is not None and (self.in_time.party is Party.HUMAN) == self.human

    @property
    def acted(self) -> Verdict | None:
        """What would have been acted on: a sure verdict that it is no person."""
        sure = (verdict for verdict in self.verdicts if verdict.sure and verdict.party is not Party.HUMAN)
        return next(sure, None)


async def listen(
    greeting: Greeting, samples: Samples, activity: SileroModel, recogniser: WhisperRecogniser, load: float
) -> Result:
    """Let the watch hear one call to its end; on virtual time."""
    timed = TimedRecogniser(recogniser, load)
    loop = asyncio.get_running_loop()
    resampler = StreamResampler(PHONE_RATE, SPEECH_RATE)
    async with AnsweringWatch(activity, timed) as watch:
        over: list[float] = []
        began = loop.time()

        def note(future: asyncio.Future[GreetingOver]) -> None:
            if not future.cancelled():
                over.append(loop.time() - began)

        watch.greeting_over.add_done_callback(note)
        for index in range(0, len(samples), FRAME):
            await asyncio.sleep(max(0.0, began + (index + FRAME) / PHONE_RATE - loop.time()))
            watch.hear(resampler.process(AudioFrame(samples[index : index + FRAME], PHONE_RATE, index)))
        end = len(samples) / PHONE_RATE - TAIL
        return Result(greeting, tuple(watch.verdicts), tuple(timed.texts), over[0] - end if over else None)


def play(greetings: Sequence[Greeting], load: float) -> list[Result]:
    """Every greeting, one after the other."""
    speaker = Speaker()
    try:
        audio = asyncio.run(_spoken(speaker, greetings))
    finally:
        speaker.close()
    activity = SileroModel(model_dir("silero-vad") / "silero_vad.onnx")
    recogniser = WhisperRecogniser(model_dir("whisper-base"), WhisperOptions(device="cpu"))
    results = []
    try:
        for greeting, samples in zip(greetings, audio, strict=True):
            results.append(run_virtual(partial(listen, greeting, samples, activity, recogniser, load)))
    finally:
        recogniser.close()
    return results


async def _spoken(speaker: Speaker, greetings: Sequence[Greeting]) -> list[Samples]:
    return [await speaker.audio(greeting) for greeting in greetings]


def report(name: str, results: Sequence[Result], *, verbose: bool) -> str:
    """The figures of one list."""
    humans = [result for result in results if result.human]
    others = [result for result in results if not result.human]
    right = sum(result.right for result in results)
    acted = [result.acted.at for result in others if result.acted is not None]
    first = [result.verdicts[0].at for result in results if result.verdicts]
    hung_up = [result for result in humans if result.acted is not None]
    late = [result.over_late for result in others if result.over_late is not None and "{beep" in result.greeting.heard]
    lines = [
        f"{name}: {len(results)} greetings, {len(humans)} of people",
        f"  person or not, right within {LIMIT} s   {right} of {len(results)} ({100 * right / len(results):.1f} %)",
        f"  people hung up on                  {len(hung_up)}",
        f"  first verdict after                {_times(first)}",
        f"  sure of no person after            {_times(acted)}  ({len(acted)} of {len(others)})",
        f"  end of the greeting noticed after  {_times(late)}",
        "  at the limit     " + "".join(f"{party:>10}" for party in PARTIES),
    ]
    table = Counter((r.greeting.party, r.in_time.party.value if r.in_time else "none") for r in results)
    lines += [f"  {party:>15}  " + "".join(f"{table[party, told]:>10}" for told in PARTIES) for party in PARTIES]
    for result in results:
        if verbose or not result.right or result in hung_up:
            lines.append(_told(result))
    return "\n".join(lines)


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "–"
    return f"p50 {statistics.median(seconds):.2f} s, p95 {quantile(seconds, 0.95):.2f} s, max {max(seconds):.2f} s"


def _told(result: Result) -> str:
    mark = "      " if result.right else "WRONG "
    verdicts = "; ".join(f"{v.at:.2f} {v.party.value}{'!' if v.sure else ''} ({v.why})" for v in result.verdicts)
    heard = " / ".join(result.texts[:4])
    return f"  {mark}{result.greeting.party:8} {result.greeting.heard[:60]!r}: {verdicts}\n           heard: {heard}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.answering", description=__doc__)
    parser.add_argument("--list", choices=list(LISTS), help="one list only")
    parser.add_argument("--load", type=float, default=0.1, help="seconds a recognition waits for others' (0.1)")
    parser.add_argument("--verbose", action="store_true", help="every greeting, not only those that were told wrong")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for name, path in LISTS.items():
        if options.list in (None, name):
            print(report(name, play(read_list(path), options.load), verbose=options.verbose), flush=True)


if __name__ == "__main__":
    main()
