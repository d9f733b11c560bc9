"""Messages from the end of a job to an independent receiver, on both databases; attempts are made by hand, in turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from server.database.tables import Account, WebhookDelivery
from server.jobs.handlers import JobResult, StoredFile
from server.jobs.runner import Persistent
from server.webhooks.deliveries import NotRedeliverable, finished_since, listing
from server.webhooks.endpoints import MAX_ENDPOINTS, TooManyEndpoints, account_secret, endpoints, register, unregister
from server.webhooks.sender import PostFailed, Sender
from tests.peers.webhook_receiver import Receiver
from tests.server.jobs.parts import plain_post
from tests.server.jobs.world import ACCOUNT, World

DONE = JobResult((StoredFile("a.mp4", "video/mp4"),), {"durationSeconds": 2.0})


def end(world: World, family: str = "F2", *, well: bool = True, **more: Any) -> str:
    """A job that has ended."""
    job_id = world.submit(family=family, **more)
    claim = world.run(world.claims.claim, job_id, world.row(job_id).unit, "w")
    assert claim is not None
    if well:
        world.run(world.claims.complete, job_id, claim.attempt, DONE)
    else:
        world.run(world.claims.fail, job_id, claim.attempt, "no", "NO")
    return job_id


def listen(world: World, receiver: Receiver, path: str = "/ok") -> None:
    """Have the account's messages sent there."""
    receiver.secrets[path] = world.run(account_secret, ACCOUNT)
    world.run(lambda session: session.execute(update(Account).values(webhook_url=receiver.url(path))))


def send(world: World, post: Callable[..., int] = plain_post) -> WebhookDelivery:
    """Make the newest delivery's next attempt."""
    delivery = world.deliveries()[-1]
    sender = Sender(run=Persistent(world.database, threading.Event()), deliveries=world.parts.deliveries, post=post)
    sender.send(delivery.unit, delivery.id)
    return world.deliveries()[-1]


def test_a_message_arrives_signed_and_is_logged(world: World, receiver: Receiver) -> None:
    listen(world, receiver, "/created")
    began = datetime.now(UTC)
    job_id = end(world)
    sent = send(world)
    [message] = receiver.received
    assert message.genuine
    assert (message.id, message.body["data"]["jobId"]) == (sent.id, job_id)
    assert message.headers["content-type"] == "application/json"
    assert (sent.status, sent.attempts, sent.last_status, sent.next_attempt) == ("delivered", 1, 201, None)
    assert [entry["status"] for entry in sent.log] == [201]
    assert world.run(finished_since, began, datetime.now(UTC)) == {"delivered": 1}


def test_the_same_unit_sends_nothing_twice(world: World, receiver: Receiver) -> None:
    listen(world, receiver)
    end(world)
    unit = world.deliveries()[0].unit
    send(world)
    sender = Sender(
        run=Persistent(world.database, threading.Event()), deliveries=world.parts.deliveries, post=plain_post
    )
    sender.send(unit, world.deliveries()[0].id)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("answer", ["/status/500", "/status/404", "/moved"])
def test_a_receiver_that_refuses_is_tried_four_times_under_one_id(
    world: World, receiver: Receiver, answer: str
) -> None:
    listen(world, receiver, answer)
    end(world)
    for attempt in range(1, 4):
        sent = send(world)
        assert (sent.status, sent.attempts) == ("pending", attempt)
        assert sent.next_attempt is not None
    sent = send(world)
    assert (sent.status, sent.attempts, len(sent.log)) == ("failed", 4, 4)
    assert len({message.id for message in receiver.received}) == 1
    assert len(receiver.at(answer)) == 4
    assert receiver.at("/ok") == []
    assert all(message.genuine for message in receiver.received)


def test_what_cannot_be_reached_is_logged_in_words(world: World, receiver: Receiver) -> None:
    listen(world, receiver)
    end(world)

    def refuse(*_: Any, **__: Any) -> int:
        raise PostFailed("The URL's host is not on the public internet.")

    sent = send(world, refuse)
    assert sent.status == "pending"
    assert sent.log[0]["error"] == "The URL's host is not on the public internet."
    assert sent.log[0]["status"] is None


def test_a_bug_in_the_client_counts_as_an_attempt_that_failed(world: World, receiver: Receiver) -> None:
    listen(world, receiver)
    end(world)

    def broken(*_: Any, **__: Any) -> int:
        raise ZeroDivisionError("a detail")

    sent = send(world, broken)
    assert (sent.status, sent.attempts, sent.log[0]["error"]) == ("pending", 1, "It could not be sent")


def test_an_attempt_that_lost_its_place_is_queued_again_under_another_unit(world: World, receiver: Receiver) -> None:
    listen(world, receiver)
    end(world)
    sent = world.parts.deliveries
    [(delivery_id, unit)] = world.run(sent.overdue, -1)
    assert world.run(sent.overdue, 60) == []
    assert world.run(sent.revive, delivery_id, unit)
    assert not world.run(sent.revive, delivery_id, unit)
    assert world.deliveries()[0].unit != unit
    assert send(world).status == "delivered"
    assert world.run(sent.overdue, -1) == []


def test_410_ends_the_attempts_and_disables_the_accounts_url(world: World, receiver: Receiver) -> None:
    listen(world, receiver, "/status/410")
    end(world)
    assert (send(world).status, len(receiver.received)) == ("failed", 1)
    end(world)
    assert len(world.deliveries()) == 1
    with pytest.raises(NotRedeliverable, match="gone"):
        world.run(world.parts.deliveries.redeliver, ACCOUNT, world.deliveries()[0].id)


def test_410_disables_a_registered_url_and_no_other(world: World, receiver: Receiver) -> None:
    gone, secret = world.run(register, ACCOUNT, receiver.url("/status/410"))
    receiver.secrets["/status/410"] = secret
    world.run(register, ACCOUNT, receiver.url("/ok"), ["video.failed"])
    end(world, "F1")
    assert (send(world).status, receiver.received[0].genuine) == ("failed", True)
    assert [each.disabled is not None for each in world.run(endpoints, ACCOUNT)] == [True, False]
    assert world.run(endpoints, ACCOUNT)[0].id == gone.id


def test_families_are_never_crossed(world: World, receiver: Receiver) -> None:
    listen(world, receiver, "/account")
    world.run(register, ACCOUNT, receiver.url("/videos"), ["video.completed"])

    def urls() -> list[str]:
        return sorted(delivery.url.rsplit("/", 1)[1] for delivery in world.deliveries())

    end(world, "F3")
    end(world, "F4")
    end(world, "F1", well=False)
    assert urls() == []
    end(world, "F1")
    assert urls() == ["videos"]
    end(world, "F4", webhook_url=receiver.url("/request"))
    assert urls() == ["request", "videos"]
    end(world, "F2", webhook_url=receiver.url("/request"))
    end(world, "F5", well=False)
    assert urls() == ["account", "account", "request", "videos"]


def test_f4s_messages_are_signed_with_the_accounts_secret(world: World, receiver: Receiver) -> None:
    receiver.secrets["/ok"] = world.run(account_secret, ACCOUNT)
    end(world, "F4", webhook_url=receiver.url("/ok"))
    assert send(world).status == "delivered"
    assert receiver.received[0].genuine


def test_a_redelivery_is_the_same_message_to_where_its_target_is_now(world: World, receiver: Receiver) -> None:
    listen(world, receiver, "/status/500")
    end(world)
    with pytest.raises(NotRedeliverable, match="still being tried"):
        world.run(world.parts.deliveries.redeliver, ACCOUNT, world.deliveries()[0].id)
    for _ in range(4):
        send(world)
    listen(world, receiver, "/ok")
    again = world.run(world.parts.deliveries.redeliver, ACCOUNT, world.deliveries()[0].id)
    assert (again.status.value, again.attempts) == ("pending", 0)
    assert send(world).status == "delivered"
    assert len({message.id for message in receiver.received}) == 1
    assert receiver.at("/ok")[0].genuine
    assert len(world.deliveries()[0].log) == 5
    with pytest.raises(LookupError):
        world.run(world.parts.deliveries.redeliver, "acct_2", world.deliveries()[0].id)


def test_what_waits_for_a_url_that_is_unregistered_is_not_sent(world: World, receiver: Receiver) -> None:
    made, _ = world.run(register, ACCOUNT, receiver.url("/ok"))
    end(world, "F1")
    assert not world.run(unregister, "acct_2", made.id)
    assert world.run(unregister, ACCOUNT, made.id)
    assert not world.run(unregister, ACCOUNT, made.id)
    assert send(world).status == "dropped"
    assert receiver.received == []


def test_an_account_registers_so_many_urls_and_no_more(world: World) -> None:
    for number in range(MAX_ENDPOINTS):
        world.run(register, ACCOUNT, f"https://hooks.example/{number}")
    with pytest.raises(TooManyEndpoints):
        world.run(register, ACCOUNT, "https://hooks.example/more")


def test_the_log_is_paged_and_each_accounts_own(world: World, receiver: Receiver) -> None:
    listen(world, receiver)
    jobs = [end(world) for _ in range(3)]
    page, more = world.run(listing, ACCOUNT, limit=2)
    assert ([each.job_id for each in page], more) == ([jobs[2], jobs[1]], True)
    page, more = world.run(listing, ACCOUNT, limit=2, after=page[-1].id)
    assert ([each.job_id for each in page], more) == ([jobs[0]], False)
    assert len(world.run(listing, ACCOUNT, job_id=jobs[1])[0]) == 1
    assert world.run(listing, ACCOUNT, status="failed") == ([], False)
    assert world.run(listing, "acct_2") == ([], False)
    with pytest.raises(LookupError):
        world.run(listing, "acct_2", after=page[0].id)


def test_a_worker_delivers_and_tries_again_by_itself(world: World, receiver: Receiver) -> None:
    listen(world, receiver, "/fail/2")
    with world.worker():
        job_id = world.submit(payload={"to": 1})
        messages = receiver.wait(3, 60)
    assert {message.body["data"]["jobId"] for message in messages} == {job_id}
    assert len({message.id for message in messages}) == 1
    assert all(message.genuine for message in messages)
