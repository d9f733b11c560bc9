"""Orders, claims and ends of jobs, on real databases; no worker runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from server.credits.ledger import InsufficientCredits
from server.jobs.claims import Claim
from server.jobs.handlers import JobResult, StoredFile
from server.jobs.jobs import NotCancellable, TooManyJobs
from server.jobs.retention import remove_expired
from server.jobs.states import JobStatus
from server.jobs.store import depths, find, finished_since, listing
from tests.server.jobs.world import ACCOUNT, CREDITS, World

DONE = JobResult((StoredFile("a.wav", "audio/wav"),), {"durationSeconds": 2.5})


def claimed(world: World, job_id: str, worker: str = "w") -> Claim:
    """The job, claimed under its newest unit."""
    claim = world.run(world.claims.claim, job_id, world.row(job_id).unit, worker)
    assert claim is not None
    return claim


def units(world: World) -> int:
    """How many durable units there are."""
    table = "dbos.workflow_status" if world.database.engine.dialect.name == "postgresql" else "workflow_status"

    def count(session: Any) -> int:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    return world.run(count)


def test_a_job_is_written_paid_and_queued_at_once(world: World) -> None:
    job_id = world.submit(payload={"to": 3})
    job = world.job(job_id)
    assert (job.status, job.family, job.kind, job.price) == (JobStatus.QUEUED, "F2", "count", 80)
    assert world.balance() == CREDITS - 80
    assert units(world) == 1


def test_an_order_returns_what_is_then_found(world: World) -> None:
    order: dict[str, Any] = {
        "kind": "count",
        "payload": {"to": 3, "words": ["ä"]},
        "account_id": ACCOUNT,
        "price": 80,
        "family": "F1",
    }
    made = world.run(world.jobs.submit, **order, webhook_url="https://example.com/hook")
    assert made == world.job(made.id)


def test_an_order_that_fails_leaves_no_job_no_debit_and_no_unit(world: World) -> None:
    def half(session: Any) -> None:
        world.jobs.submit(session, kind="count", payload={}, account_id=ACCOUNT, price=80)
        raise RuntimeError("after everything was written")

    with pytest.raises(RuntimeError):
        world.run(half)
    with pytest.raises(InsufficientCredits):
        world.submit(price=CREDITS + 1)
    job_id = world.submit(job_id="twice")
    with pytest.raises(IntegrityError):
        world.submit(job_id=job_id)
    with pytest.raises(KeyError):
        world.submit("no such kind")
    with pytest.raises(KeyError):
        world.submit(family="F9")
    with pytest.raises(ValueError, match="description"):
        world.submit(payload={"video": "x" * (1 << 20)})
    assert (world.balance(), units(world), world.audit()) == (CREDITS - 80, 1, [])


def test_an_account_may_have_so_many_jobs_under_way_and_no_more(world: World) -> None:
    object.__setattr__(world.jobs.limits, "active_per_account", 2)
    first = world.submit()
    world.submit()
    with pytest.raises(TooManyJobs, match="2 jobs"):
        world.submit()
    world.run(world.jobs.cancel, ACCOUNT, first)
    world.submit()


def test_a_claimed_job_runs_and_completes_once(world: World) -> None:
    job_id = world.submit()
    claim = claimed(world, job_id)
    running = world.job(job_id)
    assert (running.status, running.phase) == (JobStatus.RUNNING, "starting")
    assert world.run(world.claims.report, job_id, claim.attempt, "speaking", 0.5)
    assert (world.job(job_id).phase, world.job(job_id).progress) == ("speaking", 0.5)
    assert world.run(world.claims.complete, job_id, claim.attempt, DONE)
    assert not world.run(world.claims.complete, job_id, claim.attempt, DONE)
    assert not world.run(world.claims.fail, job_id, claim.attempt, "no", "NO")
    done = world.job(job_id)
    assert (done.status, done.progress, done.result) == (JobStatus.COMPLETED, 1.0, DONE.as_json())
    assert (world.balance(), world.audit()) == (CREDITS - 80, [])


def test_what_a_job_did_not_cost_returns(world: World) -> None:
    job_id = world.submit()
    world.run(world.claims.complete, job_id, claimed(world, job_id).attempt, JobResult(amount=30))
    assert world.balance() == CREDITS - 30
    job_id = world.submit()
    world.run(world.claims.complete, job_id, claimed(world, job_id).attempt, JobResult(amount=1000))
    assert world.balance() == CREDITS - 30 - 80


def test_a_failed_job_is_refunded(world: World) -> None:
    job_id = world.submit()
    assert world.run(world.claims.fail, job_id, claimed(world, job_id).attempt, "no face", "NO_FACE")
    job = world.job(job_id)
    assert (job.status, job.error, job.error_code) == (JobStatus.FAILED, "no face", "NO_FACE")
    assert (world.balance(), world.audit()) == (CREDITS, [])


@pytest.mark.parametrize("running", [False, True])
def test_a_cancelled_job_is_refunded_and_its_worker_can_say_no_more(world: World, running: bool) -> None:
    job_id = world.submit()
    unit = world.row(job_id).unit
    attempt = claimed(world, job_id).attempt if running else 0
    assert world.run(world.jobs.cancel, ACCOUNT, job_id).status is JobStatus.CANCELLED
    assert world.balance() == CREDITS
    assert world.run(world.claims.claim, job_id, unit, "w") is None
    assert not world.run(world.claims.report, job_id, attempt, "speaking", 0.5)
    assert not world.run(world.claims.keep, job_id, attempt, "script", "…")
    assert not world.run(world.claims.complete, job_id, attempt, DONE)
    assert not world.run(world.claims.try_again, job_id, attempt)
    assert world.run(world.claims.release, {job_id: attempt}) == []
    with pytest.raises(NotCancellable, match="cancelled already"):
        world.run(world.jobs.cancel, ACCOUNT, job_id)
    assert (world.balance(), world.audit()) == (CREDITS, [])


def test_nobody_sees_or_cancels_the_jobs_of_another_account(world: World) -> None:
    job_id = world.submit()
    assert world.run(find, "acct_2", job_id) is None
    assert world.run(find, ACCOUNT, job_id, families=("F1",)) is None
    with pytest.raises(LookupError):
        world.run(world.jobs.cancel, "acct_2", job_id)
    with pytest.raises(LookupError):
        world.run(listing, "acct_2", after=job_id)
    assert world.run(listing, "acct_2") == ([], False)


def test_a_second_claim_of_the_same_unit_fences_the_first_out(world: World) -> None:
    job_id = world.submit()
    lost = claimed(world, job_id, "dead")
    mine = claimed(world, job_id, "alive")
    assert not world.run(world.claims.report, job_id, lost.attempt, "late", 0.9)
    assert not world.run(world.claims.complete, job_id, lost.attempt, DONE)
    assert world.run(world.claims.complete, job_id, mine.attempt, DONE)


def test_an_old_unit_claims_nothing_once_the_job_was_queued_again(world: World) -> None:
    job_id = world.submit()
    old = world.row(job_id).unit
    claim = claimed(world, job_id)
    assert world.run(world.claims.try_again, job_id, claim.attempt)
    assert world.row(job_id).unit != old
    assert world.run(world.claims.claim, job_id, old, "w") is None
    assert claimed(world, job_id).attempt > claim.attempt


def test_a_job_that_goes_wrong_too_often_is_given_up_with_a_refund(world: World) -> None:
    job_id = world.submit()
    for _ in range(world.jobs.limits.attempts):
        assert world.job(job_id).status is JobStatus.QUEUED
        world.run(world.claims.try_again, job_id, claimed(world, job_id).attempt)
    job = world.job(job_id)
    assert (job.status, job.error, job.error_code) == (JobStatus.FAILED, "Generation failed", "ATTEMPTS")
    assert (world.balance(), world.audit()) == (CREDITS, [])


def test_a_job_whose_workers_die_too_often_is_given_up_with_a_refund(world: World) -> None:
    job_id = world.submit()
    for _ in range(world.jobs.limits.attempts):
        claimed(world, job_id)
    assert world.run(world.claims.claim, job_id, world.row(job_id).unit, "w") is None
    assert world.job(job_id).status is JobStatus.FAILED
    assert (world.balance(), world.audit()) == (CREDITS, [])


def test_a_worker_that_stops_in_order_costs_the_job_no_try(world: World) -> None:
    job_id = world.submit()
    for _ in range(world.jobs.limits.attempts + 3):
        claim = claimed(world, job_id)
        assert world.run(world.claims.release, {job_id: claim.attempt, "unknown": 1}) == [job_id]
        assert world.job(job_id).status is JobStatus.QUEUED


def test_checkpoints_outlive_the_attempt(world: World) -> None:
    job_id = world.submit()
    claim = claimed(world, job_id)
    assert world.run(world.claims.keep, job_id, claim.attempt, "script", {"words": ["hello"]})
    assert world.run(world.claims.keep, job_id, claim.attempt, "seed", 7)
    assert claimed(world, job_id).checkpoints == {"script": {"words": ["hello"]}, "seed": 7}


def test_lists_are_paged_the_newest_first(world: World) -> None:
    ids = [world.submit(family=family) for family in ("F2", "F1", "F2", "F5", "F2")]
    page, more = world.run(listing, ACCOUNT, limit=2, families=("F2", "F5"))
    assert ([job.id for job in page], more) == ([ids[4], ids[3]], True)
    page, more = world.run(listing, ACCOUNT, limit=2, families=("F2", "F5"), after=page[-1].id)
    assert ([job.id for job in page], more) == ([ids[2], ids[0]], False)
    world.run(world.jobs.cancel, ACCOUNT, ids[0])
    page, _ = world.run(listing, ACCOUNT, statuses=("cancelled",))
    assert [job.id for job in page] == [ids[0]]


def test_queues_and_ends_are_counted(world: World) -> None:
    began = datetime.now(UTC)
    first, second = world.submit(), world.submit("drawn")
    claimed(world, second)
    assert world.run(depths) == {("cpu", "queued"): 1, ("gpu", "running"): 1}
    world.run(world.jobs.cancel, ACCOUNT, first)
    world.run(world.jobs.cancel, ACCOUNT, second)
    ends = world.run(finished_since, began, datetime.now(UTC) + timedelta(seconds=1))
    assert sorted((kind, status, ran is not None) for kind, status, ran in ends) == [
        ("count", "cancelled", False),
        ("drawn", "cancelled", True),
    ]


def test_what_is_old_goes_with_its_files_and_nothing_else_does(world: World) -> None:
    old, new = world.submit(), world.submit()
    waiting = world.submit()
    for job_id in (old, new):
        path = world.files.root / f"{job_id}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"sound")
        result = JobResult((StoredFile(path.name, "audio/wav"),))
        world.run(world.claims.complete, job_id, claimed(world, job_id).attempt, result)

    def age(session: Any) -> None:
        session.execute(
            text("UPDATE jobs SET expires = created WHERE id IN (:old, :waiting)"), {"old": old, "waiting": waiting}
        )

    world.run(age)
    assert remove_expired(world.database, world.files) == 1
    assert world.run(find, ACCOUNT, old) is None
    assert [path.stem for path in world.files.root.iterdir()] == [new]
    assert world.job(waiting).status is JobStatus.QUEUED


def test_files_that_cannot_be_removed_keep_their_job(world: World) -> None:
    job_id = world.submit()
    world.run(world.claims.complete, job_id, claimed(world, job_id).attempt, DONE)

    class Broken:
        put = sign = None

        def delete(self, key: str) -> None:
            raise OSError("the disk is away")

        def sweep(self) -> int:
            return 0

    later = datetime.now(UTC) + timedelta(days=100)
    assert remove_expired(world.database, Broken(), later) == 0  # type: ignore[arg-type]
    assert world.job(job_id).status is JobStatus.COMPLETED
    assert remove_expired(world.database, world.files, later) == 1


def test_a_silent_job_is_revived_only_when_its_unit_has_ended(world: World) -> None:
    job_id = world.submit()
    unit = world.row(job_id).unit
    assert world.run(world.claims.silent, -1) == [(job_id, unit)]
    assert world.run(world.claims.silent, 60) == []
    assert world.run(world.claims.silent, -1, job_id) == []
    assert world.parts.queue.ended([unit, "unknown"]) == {"unknown"}
    assert world.run(world.claims.revive, job_id, unit)
    assert not world.run(world.claims.revive, job_id, unit)
    assert claimed(world, job_id).attempt > 1


def together(count: int, work: Callable[[int], object]) -> None:
    """Do it so many times at once."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))


def test_workers_and_owners_that_end_a_job_at_once_end_it_once(world: World) -> None:
    for _ in range(5):
        job_id = world.submit()
        attempt = claimed(world, job_id).attempt
        ended: list[str] = []

        def end(number: int, job_id: str = job_id, attempt: int = attempt, ended: list[str] = ended) -> None:
            if number % 2:
                try:
                    world.run(world.jobs.cancel, ACCOUNT, job_id)
                    ended.append("cancelled")
                except NotCancellable:
                    pass
            elif world.run(world.claims.complete, job_id, attempt, DONE):
                ended.append("completed")

        together(4, end)
        assert ended == [world.job(job_id).status.value]
    assert world.audit() == []
