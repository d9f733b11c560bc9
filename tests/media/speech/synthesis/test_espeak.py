"""The phonemiser and its helper process: what it answers, and how it lives and dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from media.speech.synthesis.errors import LanguageNotSupported, PhonemiserError, PhonemiserStopped
from media.speech.synthesis.g2p.align import LINK
from media.speech.synthesis.g2p.espeak import MOST_RESTARTS, EspeakPhonemiser, helper_command
from media.worker import WorkerClosed


@pytest.fixture
def phonemiser() -> Iterator[EspeakPhonemiser]:
    made = EspeakPhonemiser()
    yield made
    made.close()


async def say(phonemiser: EspeakPhonemiser, text: str, language: str = "en-us") -> list[str]:
    return (await phonemiser.phonemise([text.split()], language=language, deadline=0.0))[0]


async def test_each_word_gets_its_phonemes(phonemiser: EspeakPhonemiser) -> None:
    assert await say(phonemiser, "hello world") == ["həlˈoʊ", "wˈɜːld"]


async def test_words_are_pronounced_in_their_context(phonemiser: EspeakPhonemiser) -> None:
    assert await say(phonemiser, "the apple") == ["ðɪ", "ˈæpəl"]
    assert await say(phonemiser, "the pear") == ["ðə", "pˈɛɹ"]


async def test_words_that_espeak_joins_are_told_apart(phonemiser: EspeakPhonemiser) -> None:
    assert await say(phonemiser, "state of the art") == ["stˈeɪt", "ʌv" + LINK, "ðɪ", "ˈɑːɹt"]


async def test_segments_are_answered_in_their_shape(phonemiser: EspeakPhonemiser) -> None:
    answered = await phonemiser.phonemise([["one", "two"], [], ["three"]], language="en-us", deadline=0.0)
    assert [len(segment) for segment in answered] == [2, 0, 1]


async def test_languages_may_alternate(phonemiser: EspeakPhonemiser) -> None:
    assert await say(phonemiser, "nein", "de") == ["nˈaɪn"]
    assert await say(phonemiser, "hello") == ["həlˈoʊ"]
    assert (await say(phonemiser, "oui", "fr-fr"))[0].startswith("wˈi")


async def test_an_unknown_language_is_an_error_that_names_it(phonemiser: EspeakPhonemiser) -> None:
    with pytest.raises(LanguageNotSupported, match="'nosuch'"):
        await say(phonemiser, "hello", "nosuch")
    assert await say(phonemiser, "hello") == ["həlˈoʊ"]


async def test_odd_words_are_answered(phonemiser: EspeakPhonemiser) -> None:
    words = ["x" * 40, "漢字", "a\0b", "\n", "[[", "12345678901234567890", "🎉"]
    answered = (await phonemiser.phonemise([words], language="en-us", deadline=0.0))[0]
    assert len(answered) == len(words)


async def test_what_was_asked_before_is_answered_without_the_helper(phonemiser: EspeakPhonemiser) -> None:
    first = await say(phonemiser, "hello world")
    kill(phonemiser)
    assert await say(phonemiser, "hello world") == first
    first.append("changed by the caller")
    assert await say(phonemiser, "hello world") != first


def kill(phonemiser: EspeakPhonemiser) -> int:
    pid = phonemiser.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


async def test_a_helper_that_died_is_started_again(phonemiser: EspeakPhonemiser) -> None:
    await say(phonemiser, "hello")
    killed = kill(phonemiser)
    assert await say(phonemiser, "goodbye") == ["ɡʊdbˈaɪ"]
    assert phonemiser.pid != killed
    assert not psutil.pid_exists(killed), "the dead helper was not reaped"


async def test_a_helper_that_dies_again_and_again_is_given_up(phonemiser: EspeakPhonemiser) -> None:
    with pytest.raises(PhonemiserStopped, match="espeakng-loader"):
        for number in range(MOST_RESTARTS + 2):
            await say(phonemiser, f"word{'x' * number}")
            kill(phonemiser)


async def test_the_helper_outlives_an_interrupt_and_has_its_own_process_group(phonemiser: EspeakPhonemiser) -> None:
    await say(phonemiser, "hello")
    pid = phonemiser.pid
    assert pid is not None
    assert os.getpgid(pid) != os.getpgrp()
    os.kill(pid, signal.SIGINT)
    assert await say(phonemiser, "goodbye") == ["ɡʊdbˈaɪ"]
    assert phonemiser.pid == pid


async def test_closing_ends_the_helper_and_is_idempotent(phonemiser: EspeakPhonemiser) -> None:
    await say(phonemiser, "hello")
    pid = phonemiser.pid
    assert pid is not None
    phonemiser.close()
    phonemiser.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(PhonemiserStopped):
        await say(phonemiser, "hello")


async def test_a_helper_that_does_not_answer_is_an_error_and_is_replaced(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf.py"
    deaf.write_text("import sys, time\nfor line in sys.stdin: print('[]' * 0, end='', flush=True)\n")
    phonemiser = EspeakPhonemiser([sys.executable, str(deaf)], timeout=0.05)
    phonemiser._answered = True  # the first answer may take longer than this test should
    try:
        pid = phonemiser.pid
        assert pid is not None
        with pytest.raises(PhonemiserError, match="no answer within"):
            await say(phonemiser, "hello")
        assert not psutil.pid_exists(pid)
    finally:
        phonemiser.close()


async def test_a_text_the_helper_dies_of_is_an_error_of_that_text_alone(tmp_path: Path) -> None:
    fragile = tmp_path / "fragile.py"
    fragile.write_text(
        "import sys, json\n"
        "for line in sys.stdin:\n"
        "    texts = json.loads(line)['texts']\n"
        "    if 'poison' in texts: sys.exit(1)\n"
        "    print(json.dumps({'phonemes': texts}), flush=True)\n"
    )
    phonemiser = EspeakPhonemiser([sys.executable, str(fragile)])
    try:
        with pytest.raises(PhonemiserError, match="'poison'"):
            await say(phonemiser, "poison")
        assert await say(phonemiser, "honey") == ["honey"]
    finally:
        phonemiser.close()


async def test_a_helper_that_talks_nonsense_is_an_error(tmp_path: Path) -> None:
    babbling = tmp_path / "babbling.py"
    babbling.write_text("import sys\nfor line in sys.stdin: print('{\"phonemes\": []}', flush=True)\n")
    phonemiser = EspeakPhonemiser([sys.executable, str(babbling)])
    try:
        with pytest.raises(PhonemiserError, match="another question"):
            await say(phonemiser, "hello")
    finally:
        phonemiser.close()


async def test_closing_does_not_wait_for_a_helper_that_hangs(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf.py"
    deaf.write_text("import signal\nsignal.pause()\n")
    phonemiser = EspeakPhonemiser([sys.executable, str(deaf)])
    asked = asyncio.ensure_future(say(phonemiser, "hello"))
    while phonemiser.pid is None or not psutil.pid_exists(phonemiser.pid):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    pid = phonemiser.pid
    phonemiser.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises((PhonemiserStopped, WorkerClosed)):
        await asked


def test_a_helper_that_cannot_be_started_says_so() -> None:
    with pytest.raises(PhonemiserStopped, match="/nowhere/python"):
        EspeakPhonemiser(["/nowhere/python"])


def test_the_helper_imports_little_and_ends_with_its_input() -> None:
    command = helper_command()
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]], input=b"", capture_output=True, timeout=10, check=True
    )
    imported = done.stderr.decode()
    assert "json" in imported
    assert not any(name in imported for name in ("numpy", "asyncio", "media", "espeakng_loader", "site-packages"))


def test_our_process_never_loads_espeak() -> None:
    code = (
        "import asyncio, os\n"
        "from media.speech.synthesis.g2p.espeak import EspeakPhonemiser\n"
        "p = EspeakPhonemiser()\n"
        "print(asyncio.run(p.phonemise([['hello']], language='en-us', deadline=0.0)))\n"
        "p.close()\n"
        "print('espeak' in open('/proc/self/maps').read())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines() == ["[['həlˈoʊ']]", "False"]


def test_the_helper_dies_with_a_parent_that_was_killed() -> None:
    code = (
        "import signal\n"
        "from media.speech.synthesis.g2p.espeak import EspeakPhonemiser\n"
        "print(EspeakPhonemiser().pid, flush=True)\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent, parent.stdout:
        helper = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        gone = time.monotonic() + 10
        while helper.is_running() and helper.status() != psutil.STATUS_ZOMBIE and time.monotonic() < gone:
            os.sched_yield()
        assert not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE
