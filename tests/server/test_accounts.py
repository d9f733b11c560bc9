"""`python -m server accounts …`, in this process."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from server.__main__ import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `accounts` with these arguments: exit code, output, complaints."""
    for name in os.environ:
        if name.startswith("VISAVIS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["accounts", *arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def account(run: Run) -> str:
    """The id of an account on the pro plan."""
    code, out, _ = run("create", "Ada's studio", "--plan", "pro")
    found = re.fullmatch(r"(acct_[0-9a-f]{16})  (sk_live_[\w-]{40,})\n", out)
    assert found
    assert code == 0
    return found[1]


def test_an_account_begins_with_its_plans_credits_and_a_key(run: Run, account: str) -> None:
    [line] = run("list")[1].splitlines()
    assert re.fullmatch(rf"{account}  Ada's studio  pro  5000 credits  1 keys  created [-\d]+ [:\d]+", line)
    assert run("create", "Bob", "--credits", "7")[0] == 0
    assert "Bob  free  7 credits" in run("list")[1]


def test_credits_are_added_and_taken_away_but_never_more_than_there_are(run: Run, account: str) -> None:
    assert run("credit", "Ada's studio", "500") == (0, f"{account} has 5500 credits\n", "")
    assert run("credit", account, "-5000", "--reason", "a mistake") == (0, f"{account} has 500 credits\n", "")
    assert run("credit", account, "-501") == (1, "", "visavis: 501 credits are needed and 500 are left\n")
    for wrong in ("0", "x", "10000000000000"):
        assert run("credit", account, wrong)[0] == 2


def test_an_account_is_moved_to_another_plan(run: Run, account: str) -> None:
    assert run("plan", account, "business") == (0, f"{account} is on the business plan\n", "")
    assert "business" in run("list")[1]
    assert run("plan", account, "platinum")[0] == 2


def test_a_key_is_printed_once(run: Run, account: str) -> None:
    key = run("key", account, "--name", "laptop")[1].strip()
    assert key.startswith("sk_live_")
    listed = run("list")[1]
    assert "2 keys" in listed
    assert key not in listed


def test_an_account_that_is_not_there_or_not_the_only_one_is_named(run: Run, account: str) -> None:
    assert run("plan", "nobody", "pro") == (1, "", "visavis: nobody is the id or name of no accounts\n")
    run("create", "Ada's studio")
    assert run("key", "Ada's studio") == (1, "", "visavis: Ada's studio is the id or name of 2 accounts\n")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_an_account_has_a_name(run: Run, name: str) -> None:
    assert run("create", name) == (1, "", "visavis: an account's name has 1 to 100 characters\n")
