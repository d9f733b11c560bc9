"""Real worker processes on real databases."""

from __future__ import annotations

import time

from sqlalchemy import text

from server.jobs.load import LoadFile
from server.jobs.states import JobStatus
from server.jobs.worker import STUCK
from tests.server.jobs.world import ACCOUNT, CREDITS, World, until


def ends(world: World, *job_ids: str) -> list[JobStatus]:
    """How these jobs ended."""
    return [job.status for job in world.wait(*job_ids)]


def test_a_worker_makes_what_was_ordered_before_and_after_it_started(world: World) -> None:
    before = world.submit(payload={"to": 3})
    with world.worker() as worker:
        worker.ready()
        after = world.submit("later")
        done, waited = world.wait(before, after)
        assert worker.stop() == 0
    assert (done.status, waited.status) == (JobStatus.COMPLETED, JobStatus.COMPLETED)
    assert done.result is not None
    assert done.result["metadata"]["counted"] == 3
    assert (world.files.root / done.result["outputs"][0]["key"]).read_text() == "0\n1\n2\n"
    assert (world.balance(), world.audit()) == (CREDITS - 160, [])
    assert list((world.settings.data_dir / "workers").glob("*.work/*")) == []


def test_an_idle_worker_warms_up_if_told_to_and_works_if_that_fails(world: World) -> None:
    with world.worker() as cold, world.worker(VISAVIS_RENDERS__WARM="true") as warm:
        until(lambda: "could not warm up" in warm.log.read_text())
        assert "could not warm up" not in cold.ready().log.read_text()
        assert (world.settings.data_dir / "warmed").read_text() == "True\n"
        assert list((world.settings.data_dir / "workers").glob("*.work/*")) == []
        cold.kill()
        (done,) = world.wait(world.submit())
        assert done.status is JobStatus.COMPLETED
        assert warm.stop() == 0


def test_what_fails_breaks_or_takes_too_long_is_refunded_and_says_no_detail(world: World) -> None:
    with world.worker(VISAVIS_JOBS__ATTEMPTS="1", VISAVIS_JOBS__CPU="4"):
        fails, breaks = world.submit("fails"), world.submit("breaks")
        slow, drawn = world.submit("slow", payload={"step_s": 0.1, "to": 100}), world.submit("drawn")
        failed, broken, late = world.wait(fails, breaks, slow)
        assert world.job(drawn).status is JobStatus.QUEUED  # this worker has no GPU
    assert (failed.error, failed.error_code) == ("the picture shows no face", "NO_FACE")
    assert (broken.error, broken.error_code) == ("Generation failed", "ATTEMPTS")
    assert (late.error, late.error_code) == ("The job took longer than 0.5 s", "TIME_LIMIT")
    assert (world.balance(), world.audit()) == (CREDITS - 80, [])


def test_a_handler_that_never_looks_ends_with_its_process(world: World) -> None:
    with world.worker() as worker:
        job_id = world.submit("sticks")
        job = world.wait(job_id)[0]
        assert worker.process.wait(10) == STUCK
    assert (job.status, job.error_code) == (JobStatus.FAILED, "TIME_LIMIT")
    assert world.balance() == CREDITS


def test_a_running_job_that_is_cancelled_stops_soon(world: World) -> None:
    with world.worker() as worker:
        job_id = world.submit(payload={"to": 10_000, "step_s": 0.05})
        until(lambda: world.job(job_id).phase == "counting")
        world.run(world.jobs.cancel, ACCOUNT, job_id)
        until(lambda: "job ended" in worker.log.read_text())  # by its next report or by the keeper, whichever is first
        following = world.submit(payload={"to": 1})
        assert ends(world, following) == [JobStatus.COMPLETED]
    assert (world.balance(), world.audit()) == (CREDITS - 80, [])


def test_jobs_whose_worker_is_killed_go_on_under_the_next_one(world: World) -> None:
    job_id = world.submit(payload={"to": 20, "step_s": 0.05})
    with world.worker() as worker:
        until(lambda: world.job(job_id).phase == "counting")
        worker.kill()
    assert world.job(job_id).status is JobStatus.RUNNING
    with world.worker():
        assert ends(world, job_id) == [JobStatus.COMPLETED]
    assert (world.row(job_id).strikes, world.balance(), world.audit()) == (2, CREDITS - 80, [])


def test_another_worker_takes_over_from_one_that_died_for_good(world: World) -> None:
    elsewhere = world.settings.data_dir / "elsewhere"
    elsewhere.mkdir()
    with world.worker(VISAVIS_DATA_DIR=str(elsewhere), VISAVIS_DATABASE__URL=world.settings.database_url) as other:
        job_id = world.submit(payload={"to": 10_000, "step_s": 0.05})
        until(lambda: world.job(job_id).phase == "counting")
        with world.worker() as mine:
            mine.ready()
            other.kill()
            until(lambda: "took over" in mine.log.read_text())
            until(lambda: world.row(job_id).strikes == 2 and world.job(job_id).phase == "counting")


def test_a_worker_that_is_told_to_stop_hands_its_jobs_over_at_once(world: World) -> None:
    job_id = world.submit(payload={"to": 40, "step_s": 0.05})
    with world.worker() as worker:
        until(lambda: world.job(job_id).phase == "counting")
        assert worker.stop() == 0
        assert world.job(job_id).status is JobStatus.QUEUED
        assert world.row(job_id).strikes == 0
    with world.worker():
        assert ends(world, job_id) == [JobStatus.COMPLETED]


def test_a_job_that_kills_its_workers_is_given_up(world: World) -> None:
    job_id = world.submit("dies", payload={"times": 99})
    for _ in range(world.jobs.limits.attempts):
        with world.worker() as worker:
            assert worker.process.wait(60) == -9
    with world.worker():
        assert ends(world, job_id) == [JobStatus.FAILED]
    assert (world.balance(), world.audit()) == (CREDITS, [])


def test_workers_share_the_jobs_each_is_made_once(world: World) -> None:
    with world.worker() as first, world.worker() as second:
        first.ready(), second.ready()
        ids = [world.submit(payload={"to": 5, "step_s": 0.03}) for _ in range(12)]
        assert set(ends(world, *ids)) == {JobStatus.COMPLETED}
        ran = [worker.log.read_text().count("outcome=completed") for worker in (first, second)]
    assert sum(ran) == 12
    assert min(ran) > 0
    assert {world.row(job_id).strikes for job_id in ids} == {1}
    assert (world.balance(), world.audit()) == (CREDITS - 12 * 80, [])


def test_a_unit_that_ended_too_early_is_noticed_at_the_next_look(world: World) -> None:
    job_id = world.submit()
    schema = "dbos." if world.database.engine.dialect.name == "postgresql" else ""
    world.run(lambda session: session.execute(text(f"UPDATE {schema}workflow_status SET status = 'ERROR'")))
    [(found, unit)] = world.run(world.claims.silent, -1)
    assert world.parts.queue.ended([unit]) == {unit}
    assert world.run(world.claims.revive, found, unit)
    with world.worker():
        assert ends(world, job_id) == [JobStatus.COMPLETED]


def test_jobs_wait_while_calls_need_the_machine(world: World) -> None:
    load = LoadFile(world.settings.data_dir / "load")
    with world.worker() as worker:
        worker.ready()
        job_id = world.submit(payload={"to": 20, "step_s": 0.01})
        until(lambda: world.job(job_id).phase == "counting")
        give_up = time.monotonic() + 1.5
        while time.monotonic() < give_up:
            load.write(0.5, 1)
            time.sleep(0.02)
        assert not world.job(job_id).status.final
        load.write(0.5, 0)
        assert ends(world, job_id) == [JobStatus.COMPLETED]
    load.close()
