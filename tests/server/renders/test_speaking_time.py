from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.renders.speaking_time import characters_for, estimate_seconds, speed_to_fit

# seconds as our own voices spoke them: piper-joe, kokoro:if_sara
MEASURED = [
    (
        "en",
        "Every morning, millions of people reach for the same thing before they even open their eyes. We wanted to "
        "know why, so we asked. The answer surprised us: it is not habit, it is comfort. That is what we build into "
        "every cup we make.",
        13.3,
    ),
    (
        "it",
        "Ogni mattina milioni di persone cercano la stessa cosa prima ancora di aprire gli occhi. Volevamo sapere "
        "perché, così abbiamo chiesto. La risposta ci ha sorpreso: non è abitudine, è conforto. È quello che mettiamo "
        "in ogni tazza.",
        14.4,
    ),
]


@pytest.mark.parametrize(("language", "text", "seconds"), MEASURED)
def test_the_estimate_is_near_what_the_voices_take(language: str, text: str, seconds: float) -> None:
    assert estimate_seconds(text, language) == pytest.approx(seconds, rel=0.1)
    assert estimate_seconds(text, language, speed=2.0) == pytest.approx(seconds / 2, rel=0.1)


def test_a_region_makes_no_difference_and_an_unknown_language_has_a_rate() -> None:
    assert estimate_seconds("Good morning.", "en-US") == estimate_seconds("Good morning.", "en")
    assert estimate_seconds("Guten Morgen.", "de") > 0.5


def test_line_breaks_take_no_time() -> None:
    assert estimate_seconds("Good\n\n\n   morning.", "en") == estimate_seconds("Good morning.", "en")


@given(st.text(max_size=400), st.text(max_size=400))
def test_more_text_never_takes_less_time(one: str, other: str) -> None:
    assert estimate_seconds(f"{one} {other}", "en") >= estimate_seconds(one, "en") - 1e-9


def test_a_text_of_as_many_characters_as_fit_takes_the_time() -> None:
    text = ("word " * 1000)[: characters_for(30, "en")]
    assert estimate_seconds(text, "en") == pytest.approx(30, abs=0.5)


def test_only_as_fast_as_needed_and_never_faster_than_allowed() -> None:
    text = "word " * 100  # 30 s
    assert speed_to_fit(text, "en", 60, fastest=1.25) == 1.0
    assert speed_to_fit(text, "en", 27, fastest=1.25) == pytest.approx(estimate_seconds(text, "en") / 27)
    assert speed_to_fit(text, "en", 5, fastest=1.25) == 1.25
