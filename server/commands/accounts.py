"""`accounts create|list|plan|credit|key`: accounts, from the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from server.commands.common import CommandError, settings_from_environment
from server.commands.keys import open_migrated
from server.settings.platform import PLANS

if TYPE_CHECKING:
    from server.database import Database

MOST = 10**12


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser: argparse.ArgumentParser = commands.add_parser("accounts", help="accounts, their plans and credits")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    create = actions.add_parser("create", help="make an account; prints its id and its first key, this once")
    create.add_argument("name")
    create.add_argument("--plan", choices=PLANS, default=PLANS[0])
    create.add_argument("--credits", type=_credits, help="to begin with (default: the plan's)")
    create.set_defaults(run=_create)

    show = actions.add_parser("list", help="all accounts")
    show.set_defaults(run=_list)

    plan = actions.add_parser("plan", help="move an account to another plan; running servers follow within seconds")
    plan.add_argument("account", metavar="ID_OR_NAME")
    plan.add_argument("plan", choices=PLANS)
    plan.set_defaults(run=_plan)

    credit = actions.add_parser("credit", help="add credits, or take some away (-50)")
    credit.add_argument("account", metavar="ID_OR_NAME")
    credit.add_argument("amount", type=_amount)
    credit.add_argument("--reason", default="by the operator", help="what stands in the ledger")
    credit.set_defaults(run=_credit)

    key = actions.add_parser("key", help="make a key for an account and print it, this once")
    key.add_argument("account", metavar="ID_OR_NAME")
    key.add_argument("--name", default="unnamed", help="to tell it from others in the list")
    key.set_defaults(run=_key)


def _create(options: argparse.Namespace) -> int:
    from server.database import create_account, create_key  # noqa: PLC0415 - SQLAlchemy is wanted only by some commands

    settings = settings_from_environment()
    endowed = settings.plans.of(options.plan).credits if options.credits is None else options.credits
    if not options.name.strip() or len(options.name) > 100:
        raise CommandError("an account's name has 1 to 100 characters")
    database = open_migrated()

    def make(session: Any) -> tuple[str, str]:
        account = create_account(session, options.name, plan=options.plan, credits=endowed)
        return account, create_key(session, "first", account).secret

    account, secret = database.run_here(make)
    print(f"{account}  {secret}")
    return 0


def _list(_options: argparse.Namespace) -> int:
    from server.database.accounts import list_accounts  # noqa: PLC0415 - as above

    for account in open_migrated().run_here(list_accounts):
        print(
            f"{account.id}  {account.name}  {account.plan}  {account.credits} credits  {account.keys} keys  "
            f"created {account.created:%Y-%m-%d %H:%M}"
        )
    return 0


def _plan(options: argparse.Namespace) -> int:
    from server.database.accounts import set_plan  # noqa: PLC0415 - as above

    database = open_migrated()
    account = _find(database, options.account)
    database.run_here(set_plan, account, options.plan)
    print(f"{account} is on the {options.plan} plan")
    return 0


def _credit(options: argparse.Namespace) -> int:
    from server.credits import InsufficientCredits, grant, withdraw  # noqa: PLC0415 - as above

    database = open_migrated()
    account = _find(database, options.account)
    change = grant if options.amount > 0 else withdraw
    try:
        left = database.run_here(change, account, abs(options.amount), options.reason[:200])
    except InsufficientCredits as error:
        raise CommandError(str(error)) from None
    print(f"{account} has {left} credits")
    return 0


def _key(options: argparse.Namespace) -> int:
    from server.database import create_key  # noqa: PLC0415 - as above

    database = open_migrated()
    print(database.run_here(create_key, options.name[:100], _find(database, options.account)).secret)
    return 0


def _find(database: Database, which: str) -> str:
    from server.database.accounts import find_account  # noqa: PLC0415 - as above

    try:
        return database.run_here(find_account, which)
    except LookupError as error:
        raise CommandError(str(error)) from None


def _amount(text: str) -> int:
    amount = int(text)
    if not 0 < abs(amount) <= MOST:
        raise argparse.ArgumentTypeError(f"must not be 0, nor beyond {MOST}")
    return amount


def _credits(text: str) -> int:
    amount = int(text)
    if not 0 <= amount <= MOST:
        raise argparse.ArgumentTypeError(f"must be from 0 to {MOST}")
    return amount
