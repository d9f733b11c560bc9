"""Any sequence of grants, reservations, settlements and refunds leaves the books right."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from server.credits import InsufficientCredits, audit, balance, grant, refund, reserve, settle
from server.database import Database, create_account


class Books(RuleBasedStateMachine):
    """The ledger beside a model of it in plain numbers."""

    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(f"sqlite:///{Path(self.folder.name)}/visavis.db", threads=1)
        self.database.migrate()
        self.account = self.database.run_here(create_account, "one", plan="free")
        self.balance = 0
        self.held: dict[str, int] = {}
        self.made = 0

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(amount=st.integers(1, 10**6))
    def granted(self, amount: int) -> None:
        self.balance += amount
        assert self.database.run_here(grant, self.account, amount, "grant") == self.balance

    @rule(target=jobs, share=st.floats(0, 1.5))
    def reserved(self, share: float) -> str:
        amount = int(self.balance * share)
        self.made += 1
        job = f"job{self.made}"
        try:
            left = self.database.run_here(reserve, self.account, amount, job_id=job)
        except InsufficientCredits as error:
            assert amount > self.balance == error.available
        else:
            assert amount <= self.balance
            self.balance -= amount
            assert left == self.balance
            self.held[job] = amount
        return job

    @rule(job=jobs, share=st.floats(0, 1))
    def settled(self, job: str, share: float) -> None:
        amount = int(self.held.get(job, 0) * share)
        try:
            closed = self.database.run_here(settle, job, amount)
        except (LookupError, ValueError):
            assert job not in self.held
            return
        assert closed is (job in self.held)
        self.balance += self.held.pop(job, amount) - amount

    @rule(job=consumes(jobs))
    def refunded(self, job: str) -> None:
        for _ in range(2):
            try:
                returned = self.database.run_here(refund, job)
            except LookupError:
                assert job not in self.held
                return
            assert returned == self.held.get(job, 0)
            self.balance += self.held.pop(job, 0)

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.database.run_here(balance, self.account) == self.balance >= 0
        assert self.database.run_here(audit) == []


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
