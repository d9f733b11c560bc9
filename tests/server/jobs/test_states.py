"""Which state may follow which, and how each family names them."""

from __future__ import annotations

import pytest

from server.jobs.states import FAMILIES, RENDERING, FamilyStatus, IllegalTransition, JobStatus, check, in_words_of

Q, R, C, F, X = JobStatus  # queued, running, completed, failed, cancelled


@pytest.mark.parametrize("current", JobStatus)
@pytest.mark.parametrize("following", JobStatus)
def test_only_what_the_table_has_may_follow(current: JobStatus, following: JobStatus) -> None:
    allowed = {
        *((Q, status) for status in (R, F, X)),
        *((R, status) for status in JobStatus),
    }
    if (current, following) in allowed:
        check(current.value, following)
    else:
        with pytest.raises(IllegalTransition, match=f"{current.value} cannot become {following.value}"):
            check(current.value, following)


def test_the_final_states_are_those_nothing_follows() -> None:
    assert [status for status in JobStatus if status.final] == [C, F, X]


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("F1", ("queued", "processing", "completed", "failed", "failed")),
        ("F2", ("queued", "running", "completed", "failed", "cancelled")),
        ("F3", ("processing", "processing", "ready", "failed", "failed")),
        ("F4", ("PENDING", "GENERATING_VIDEO", "DONE", "ERROR", "ERROR")),
        ("F5", ("queued", "running", "completed", "failed", "cancelled")),
    ],
)
def test_each_family_has_its_own_words(family: str, words: tuple[str, ...]) -> None:
    assert tuple(in_words_of(family, status, "clips", 0.2).status for status in JobStatus) == words
    assert family in FAMILIES


@pytest.mark.parametrize(
    ("phase", "progress", "shown"),
    [
        ("clips", 0.9, FamilyStatus("GENERATING_VIDEO")),
        (RENDERING, 0.0, FamilyStatus("START_RENDERING_VIDEO", {"progress": 0})),
        (RENDERING, 0.421, FamilyStatus("RENDERING_VIDEO", {"progress": 42})),
    ],
)
def test_f4_names_what_a_running_job_does(phase: str, progress: float, shown: FamilyStatus) -> None:
    assert in_words_of("F4", R, phase, progress) == shown


def test_f2_and_f5_show_phase_and_progress() -> None:
    assert in_words_of("F5", R, "speaking", 0.25).extra == {"phase": "speaking", "progress": 0.25}


def test_there_is_no_other_family() -> None:
    with pytest.raises(KeyError):
        in_words_of("F6", Q)
