"""How soon voices begin to speak and how much of a core they take: `python -m tests.bench.voices [VOICE …]`.

Prints, for each voice and number of threads, the time to the first chunk of a clause of about two seconds (median and
95th percentile), the audio in that chunk, the real-time factor (seconds of work a second of speech), the same in
seconds of processor time (which a busy machine does not spoil), and the memory after it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass

import psutil

from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker

CLAUSE = "We can do that for you tomorrow at {}."
HOURS = ("nine", "ten", "eleven", "noon", "one", "two", "three", "four", "five", "six", "seven", "eight")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one voice: seconds (and processor seconds) to the first chunk of each text, and in all."""

    first: list[float]
    first_processor: list[float]
    first_audio: float
    work: float
    processor: float
    speech: float

    def line(self, name: str, threads: int) -> str:
        """One row of the table."""
        ordered = sorted(self.first)
        p50, p95 = statistics.median(ordered), ordered[round(0.95 * (len(ordered) - 1))]
        memory = psutil.Process().memory_info().rss / 2**20
        return (
            f"{name:20} {threads:7} {1000 * p50:9.0f} {1000 * p95:9.0f} "
            f"{1000 * statistics.median(self.first_processor):9.0f} {1000 * self.first_audio:11.0f} "
            f"{self.speech / len(self.first):11.2f} {self.work / self.speech:6.3f} "
            f"{self.processor / self.speech:6.3f} {memory:7.0f}"
        )


async def measure(name: str, threads: int, rounds: int) -> Figures:
    """Speak one clause after another, each of them new."""
    worker = ModelWorker("voices")
    registry = VoiceRegistry(worker, threads=threads, cache_samples=0)
    try:
        voice = await registry.get(name)
        first, first_processor = [], []
        first_audio = work = speech = processor = 0.0
        for number in range(rounds + 1):
            began, used = time.perf_counter(), time.process_time()
            heard = heard_processor = 0.0
            samples = 0
            async for chunk in voice.synthesise(CLAUSE.format(HOURS[number % len(HOURS)]), deadline=time.monotonic()):
                if not samples:
                    heard, heard_processor = time.perf_counter() - began, time.process_time() - used
                    length = len(chunk.samples) / voice.rate
                samples += len(chunk.samples)
            if number:  # the first one starts the helper process
                first.append(heard)
                first_processor.append(heard_processor)
                first_audio, work = length, work + time.perf_counter() - began
                speech, processor = speech + samples / voice.rate, processor + time.process_time() - used
        return Figures(first, first_processor, first_audio, work, processor, speech)
    finally:
        registry.close()
        worker.close()


def main() -> None:
    """Measure the voices named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.voices")
    parser.add_argument("voices", nargs="*", default=["piper-joe", "kokoro:af_heart"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    print("voice                threads first p50 first p95 first CPU first chunk     clause    RTF    CPU  memory")
    print("                                   ms        ms        ms    ms audio    s audio           RTF     MiB")
    for name in arguments.voices:
        for threads in arguments.threads:
            rounds = arguments.rounds if not name.startswith("kokoro:") else max(1, arguments.rounds // 5)
            print(asyncio.run(measure(name, threads, rounds)).line(name, threads))


if __name__ == "__main__":
    main()
