"""`python -m media.avatar enrol|render`: make an avatar of a portrait; have it speak a recording.

Exit codes: 0 done, 1 the portrait, pack or recording cannot be used, 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from media.avatar.audio_visemes.network import packaged_network
from media.avatar.enrol import enrol
from media.avatar.errors import AvatarError, PortraitRefused
from media.avatar.film import render_film
from media.avatar.landmarks import MODEL, FaceLandmarker
from media.avatar.pack import AvatarPack, load_pack, save_pack
from media.models import ModelError, model_dir


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except PortraitRefused as error:
        print(f"error [{error.code}]: {error}", file=sys.stderr)
        return 1
    except (AvatarError, ModelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m media.avatar", description="Avatars from one portrait.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("enrol", help="make an avatar pack of a picture or a video")
    command.add_argument("portrait", type=Path, metavar="PORTRAIT")
    command.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER")
    command.add_argument("--name", help="the avatar's name (default: the folder's)")
    command.set_defaults(run=_enrol)

    command = commands.add_parser("render", help="write a video of an avatar speaking a recording")
    command.add_argument("portrait", type=Path, metavar="PORTRAIT", help="a picture, a video or an avatar pack")
    command.add_argument("speech", type=Path, metavar="SPEECH", help="WAV, FLAC, OGG or MP3")
    command.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.mp4")
    command.add_argument("--seed", type=int, default=0, help="another seed, other small motions")
    command.set_defaults(run=_render)
    return parser


def _enrol(options: argparse.Namespace) -> int:
    pack = _enrolled(options.portrait, options.name or options.out.name)
    save_pack(pack, options.out)
    print(json.dumps({"pack": str(options.out), "digest": pack.digest, "warnings": pack.warnings}, ensure_ascii=False))
    return 0


def _render(options: argparse.Namespace) -> int:
    pack = load_pack(options.portrait) if options.portrait.is_dir() else _enrolled(options.portrait, "avatar")
    for warning in pack.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    began = time.monotonic()
    film = render_film(pack, options.speech, options.out, packaged_network(), seed=options.seed)
    took = time.monotonic() - began
    print(
        f"{options.out}: {film.seconds:.1f} s, {film.frames} frames, in {took:.1f} s "
        f"({film.seconds / took:.1f} times real time)",
        file=sys.stderr,
    )
    return 0


def _enrolled(portrait: Path, name: str) -> AvatarPack:
    return enrol(portrait.read_bytes(), FaceLandmarker(model_dir(MODEL)), name=name)


if __name__ == "__main__":
    sys.exit(main())
