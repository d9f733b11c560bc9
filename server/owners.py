"""Who made something, and who asks for it: an account by its API key, or a visitor of the page by its cookie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """Whoever made an avatar or an agent: an account, or a visitor of the page. Exactly one is given."""

    account: str | None = None
    visitor: str | None = None

    def __post_init__(self) -> None:
        if bool(self.account) == bool(self.visitor):
            raise ValueError("an owner is either an account or a visitor of the page")


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever wants to talk to an agent.

    `owner`: None where nothing is known of it. `operator`: the page on the server's own machine, which may use what the
    server's first account has made. `named`: agents that the settings open to everybody.
    """

    owner: Owner | None = None
    operator: bool = False
    named: frozenset[str] = frozenset()
