"""`keys create|list|revoke`: API keys, from the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from server.commands.common import CommandError, settings_from_environment

if TYPE_CHECKING:
    from server.database import Database


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser: argparse.ArgumentParser = commands.add_parser("keys", help="create, list or revoke API keys")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    create = actions.add_parser("create", help="make a key and print it, this once")
    create.add_argument("--name", default="unnamed", help="to tell it from others in the list")
    create.set_defaults(run=_create)

    show = actions.add_parser("list", help="all keys, without their secrets")
    show.set_defaults(run=_list)

    revoke = actions.add_parser("revoke", help="refuse a key from now on")
    revoke.add_argument("key", metavar="ID_OR_PREFIX")
    revoke.set_defaults(run=_revoke)


def _create(options: argparse.Namespace) -> int:
    from server.database import create_key, first_key  # noqa: PLC0415 - SQLAlchemy is wanted only by some commands

    database = open_migrated()
    endowed = settings_from_environment().plans.enterprise.credits
    issued = database.run_here(first_key, credits=endowed) or database.run_here(create_key, options.name)
    print(issued.secret)
    return 0


def _list(_options: argparse.Namespace) -> int:
    from server.database import list_keys  # noqa: PLC0415 - as above

    for key in open_migrated().run_here(list_keys):
        used = f"last used {key.last_used:%Y-%m-%d %H:%M}" if key.last_used else "never used"
        state = f"revoked {key.revoked:%Y-%m-%d %H:%M}" if key.revoked else used
        print(f"{key.id}  {key.prefix}…  {key.name}  created {key.created:%Y-%m-%d %H:%M}  {state}")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    from server.database import revoke_key  # noqa: PLC0415 - as above

    try:
        key = open_migrated().run_here(revoke_key, options.key)
    except LookupError as error:
        raise CommandError(str(error)) from None
    print(f"{key.id} is revoked")
    return 0


def open_migrated() -> Database:
    """The database of the settings, brought up to date, for one command. Raises `CommandError`."""
    from server.database import Database, DatabaseError  # noqa: PLC0415 - as above

    settings = settings_from_environment()
    try:
        database = Database(settings.database_url, threads=1)
        database.migrate()
    except DatabaseError as error:
        raise CommandError(str(error)) from None
    return database
