"""`python -m server serve|worker|keys|accounts|call`.

Exit codes: 0 all went well, 1 it failed, 2 the settings or the command line are wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from server.commands import accounts, api, call, keys, serve, worker
from server.commands.common import CommandError, complain

COMMANDS = (serve, worker, call, keys, accounts, api)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m server", description="Visavis, a real-time voice agent server.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except CommandError as error:
        complain(str(error))
        return error.code
    except KeyboardInterrupt:
        return 130
    return code


def leave(code: int) -> NoReturn:
    """End the process at once, with everything that was written.

    The interpreter's own end takes the model libraries apart for seconds; everything that matters is closed by now.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
