"""Stands for the calls whose streams are in this process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Here:
    """The streams of this process."""

    calls: set[str] = field(default_factory=set)
    finished: list[tuple[str, str, str]] = field(default_factory=list)

    def ids(self) -> set[str]:
        return set(self.calls)

    def finish(self, call_id: str, text: str, reason: str) -> bool:
        if call_id not in self.calls:
            return False
        self.finished.append((call_id, text, reason))
        return True
