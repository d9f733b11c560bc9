"""The portraits of configured agents: enrolled once, kept under the data folder by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import structlog

from agents.definition import AgentError
from media.avatar.enrol import ENROLMENT, enrol
from media.avatar.errors import PackInvalid, PortraitRefused
from media.avatar.landmarks import MODEL, FaceLandmarker
from media.avatar.pack import FORMAT, AvatarPack, load_pack, save_pack
from media.models import model_dir

log = structlog.get_logger(__name__)

LARGEST_PORTRAIT = 64 << 20
"""Bytes."""


def enrol_portraits(portraits: Mapping[str, Path], cache: Path) -> dict[str, AvatarPack]:
    """The packs of agents by their id; a portrait that was enrolled before is read. Blocks for 0.4 s a new one.

    Raises `AgentError`, which names the agent, the file and what is wrong with it.
    """
    landmarkers: list[FaceLandmarker] = []

    def landmarker() -> FaceLandmarker:
        if not landmarkers:
            landmarkers.append(FaceLandmarker(model_dir(MODEL)))
        return landmarkers[0]

    packs = {}
    for agent_id, portrait in portraits.items():
        try:
            data = _read(portrait)
            folder = cache / f"{hashlib.sha256(data).hexdigest()[:32]}-{FORMAT}-{ENROLMENT}"
            pack = _kept(folder)
            if pack is None:
                pack = enrol(data, landmarker(), name=agent_id)
                save_pack(pack, folder)
        except PortraitRefused as error:
            raise AgentError(f"agent {agent_id}: avatar: {portrait}: {error}") from error
        except (OSError, PackInvalid) as error:
            raise AgentError(f"agent {agent_id}: avatar: {portrait} cannot be prepared: {error}") from error
        for warning in pack.warnings:
            log.warning("portrait", agent=agent_id, file=str(portrait), warning=warning)
        packs[agent_id] = pack
    return packs


def _read(portrait: Path) -> bytes:
    if portrait.stat().st_size > LARGEST_PORTRAIT:
        raise OSError(f"it is larger than {LARGEST_PORTRAIT >> 20} MB")
    return portrait.read_bytes()


def _kept(folder: Path) -> AvatarPack | None:
    """The pack of an earlier start; None where there is none, or it is damaged."""
    if not folder.exists():
        return None
    try:
        return load_pack(folder)
    except PackInvalid as error:
        log.warning("a kept portrait is enrolled anew", reason=str(error))
        return None
