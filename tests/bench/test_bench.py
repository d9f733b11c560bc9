"""The benchmark's own arithmetic, and its language model's pace."""

import json

import httpx
import pytest

from tests.bench.figures import Figures, milliseconds, quantile, total
from tests.bench.paced_llm import create_app
from tests.bench.report import Part, Report
from tests.bench.smoothness import Arrival, smoothness
from tests.bench.talk import TURNS, clips


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.5, 5.0), (0.51, 6.0), (0.9, 9.0), (0.95, 10.0), (1.0, 10.0)]
)
def test_a_quantile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert quantile([10.0, *map(float, range(1, 10))], share) == value


def test_nothing_measured_has_no_quantile() -> None:
    assert quantile([], 0.5) is None
    assert milliseconds(None) == "–"
    assert milliseconds(0.4567) == "457"


def test_the_notes_of_several_callers_add_up() -> None:
    one = Figures([0.4], [0.1], 2, 1, 0, 1, 0, 1, gaps=[0.07])
    two = Figures([0.6], [], 3, 0, 2, 1, 1, 2, jitter=[0.001], failed=["broken"])
    assert total([one, two]) == Figures([0.4, 0.6], [0.1], 5, 1, 2, 2, 1, 3, [0.07], [0.001], ["broken"])
    assert one.turns == 2


def test_the_report_counts_what_went_wrong() -> None:
    report = Report("a machine", "settings", "a pace", "python -m tests.bench")
    report.parts.append(Part("one call", Figures([0.4, 0.5, 0.6], [0.2], 5, 1, 1, 1, 0), 900_000_000))
    report.sections.append(("Voices", "python -m tests.bench.voices", "fast\n"))
    table = report.table()
    assert "| voice to voice, one call | 1 | 5 | 500 | 600 | 600 | 1 | 1 | 900 |" in table
    assert "| barge-in to silence, one call | 1 | 1 | 200 | 200 | 200 | 0 not silenced | – | – |" in table
    assert "Turns lost or talked over, all parts: 2 of 5." in table
    assert table in report.markdown()
    assert "$ python -m tests.bench.voices\nfast\n" in report.markdown()


async def test_the_paced_model_streams_an_answer_that_is_new_each_time() -> None:
    app = create_app(first_token=0.0, token=0.0)
    said = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://llm") as client:
        for _ in range(3):
            answer = await client.post("/v1/chat/completions", json={"stream": True, "messages": []})
            events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
            assert events[-1] == "[DONE]"
            deltas = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1]]
            said.append("".join(deltas))
        whole = await client.post("/v1/chat/completions", json={"messages": []})
        assert whole.json()["choices"][0]["message"]["content"].startswith("Booking ")
    assert len(set(said)) == 3
    assert all(text.startswith("Booking ") for text in said)


def test_the_recordings_are_voiced_from_somewhere_to_somewhere() -> None:
    for clip in clips(TURNS):
        assert 0 <= clip.first_voiced < clip.last_voiced < len(clip.frames)
        assert all(len(frame) == 160 for frame in clip.frames)


def test_speech_that_follows_on_its_beat_has_neither_gap_nor_jitter() -> None:
    burst = [Arrival(0.0, "t1") for _ in range(6)]
    found = smoothness([*burst, *(Arrival(0.02 * n, "t1") for n in range(1, 40))])
    assert found.gaps == ()
    assert max(found.jitter) < 1e-9


def test_a_frame_that_comes_after_the_last_one_was_heard_leaves_a_gap() -> None:
    found = smoothness([Arrival(0.0, "t1"), Arrival(0.1, "t1"), Arrival(0.12, "t2")])
    assert list(found.gaps) == pytest.approx([0.08])


def test_a_pause_and_what_was_cleared_are_no_gaps() -> None:
    arrivals = [Arrival(0.0, "t1"), Arrival(1.0, "t1"), Arrival(1.1, "t1")]
    assert smoothness(arrivals, [1.05]).gaps == ()
