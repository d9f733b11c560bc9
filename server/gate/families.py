"""The five API families: which paths are theirs, and how each answers what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from server.settings.platform import PLANS


@dataclass(frozen=True, slots=True)
class FamilyTraits:
    """`prefixes`: paths that belong to it; `invalid`: the status of invalid input; `details`: its errors have them."""

    title: str
    prefixes: tuple[str, ...]
    header: str
    invalid: int = 400
    details: bool = False


class Family(Enum):
    """A family, by the number that the contract gives it."""

    F1 = FamilyTraits("Avatars and videos", ("/v1",), "Authorization", invalid=422)
    F2 = FamilyTraits("Generation, voice agents, platform", ("/api",), "Authorization")
    F3 = FamilyTraits("Agent creation", ("/v1/agent",), "api-secret", details=True)
    F4 = FamilyTraits("Listing videos", ("/api/video-editor",), "x-api-key")
    F5 = FamilyTraits("Talking-video jobs and storage", ("/jobs", "/storage"), "x-api-key")


_BY_PREFIX = sorted(
    ((prefix, family) for family in Family for prefix in family.value.prefixes), key=lambda pair: -len(pair[0])
)


def family_of(path: str) -> Family | None:
    """The family that a path belongs to, known or not; None for what is no API: pages, health, carriers' webhooks."""
    for prefix, family in _BY_PREFIX:
        if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/"):
            return family
    return None


def plan_reaches(plan: str, least: str) -> bool:
    """Whether a plan is `least` or more; one that is not known any more counts as the least of all."""
    return (PLANS.index(plan) if plan in PLANS else 0) >= PLANS.index(least)
