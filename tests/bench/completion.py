"""How well and how fast the completion judge tells finished turns from unfinished ones.

`python -m tests.bench.completion [--threads N]`
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

import numpy as np

from media.language.completion import LIKELY_COMPLETE, SURELY_INCOMPLETE, PunctuationJudge
from media.language.llama import LlamaRuntime, embedded_weights
from tests.media.language.turns import FINISHED, UNFINISHED


async def judged(judge: PunctuationJudge, turns: Sequence[str]) -> tuple[list[float], list[float]]:
    """The probability and the milliseconds of each turn."""
    probabilities, times = [], []
    for turn in turns:
        began = time.perf_counter()
        probabilities.append(await judge.probability(turn, deadline=time.monotonic()))
        times.append(1000 * (time.perf_counter() - began))
    return probabilities, times


async def main(threads: int) -> None:
    runtime = LlamaRuntime(embedded_weights(), threads=threads, context=512, chats=0)
    try:
        judge = PunctuationJudge(runtime)
        await judge.probability("Hello", deadline=0.0)
        finished, finished_times = await judged(judge, FINISHED)
        unfinished, unfinished_times = await judged(judge, UNFINISHED)
    finally:
        runtime.close()
    above = np.array(finished)[:, None] - np.array(unfinished)[None, :]
    print(f"{len(finished)} finished, {len(unfinished)} unfinished turns, {threads} thread(s)")
    print(f"area under the ROC curve {(above > 0).mean() + 0.5 * (above == 0).mean():.4f}")
    print("threshold  finished found  unfinished taken for finished")
    for threshold in (0.02, SURELY_INCOMPLETE, 0.1, 0.2, LIKELY_COMPLETE, 0.4, 0.5):
        print(f"{threshold:9.2f} {np.mean(np.array(finished) >= threshold):15.3f}", end=" ")
        print(f"{np.mean(np.array(unfinished) >= threshold):30.3f}")
    for label, turns, values, sign in (("lowest", FINISHED, finished, 1), ("highest", UNFINISHED, unfinished, -1)):
        order = np.argsort(sign * np.array(values))[:8]
        print(f"{label}:", "; ".join(f"{turns[i]} {values[i]:.2f}" for i in order))
    times = np.array(finished_times + unfinished_times)
    p50, p95 = np.quantile(times, [0.5, 0.95])
    print(f"milliseconds a judgement: p50 {p50:.0f}, p95 {p95:.0f}, most {times.max():.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    asyncio.run(main(parser.parse_args().threads))
