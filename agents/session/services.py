"""What sessions share: the models, and where their records go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from media.speech.activity.silero import SileroModel
from media.speech.protocols import CompletionJudge, SpeechRecogniser, TimedWord, TurnDetector


@dataclass(frozen=True, slots=True)
class Services:
    """The engine's models as sessions see them; every session uses the same ones."""

    activity: SileroModel
    recogniser: SpeechRecogniser
    turn_detector: TurnDetector
    completion: CompletionJudge


@dataclass(slots=True)
class Timeline:
    """When things happened in a turn, monotonic seconds; None where they did not.

    Voice to voice is `first_sound - speech_ended`.
    """

    speech_started: float | None = None
    speech_ended: float | None = None
    transcript: float | None = None
    confirmed: float | None = None
    answer_begun: float | None = None
    first_token: float | None = None
    first_clause: float | None = None
    first_audio: float | None = None
    first_sound: float | None = None
    finished: float | None = None

    def milliseconds(self) -> dict[str, int]:
        """Milliseconds after the end of the caller's speech; what happened ahead of it is negative."""
        if self.speech_ended is None:
            return {}
        origin = self.speech_ended
        names = ("transcript", "confirmed", "answer_begun", "first_token", "first_clause", "first_audio", "first_sound")
        times = {name: getattr(self, name) for name in names}
        return {name: round(1000 * (at - origin)) for name, at in times.items() if at is not None}


@dataclass(slots=True)
class TurnRecord:
    """One exchange: what the caller said, what the agent answered, and what of it was heard.

    Words have their times in seconds from the beginning of the session: the caller's are those of `transcript`, but for
    what was typed, the agent's those of `heard`.
    """

    turn_id: int
    transcript: str = ""
    answer: str = ""
    heard: str = ""
    interrupted: bool = False
    error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    caller_words: tuple[TimedWord, ...] = ()
    agent_words: tuple[TimedWord, ...] = ()


class Recorder(Protocol):
    """Takes a session's records. Calls return at once; nothing that was taken is lost."""

    def turn(self, session_id: str, record: TurnRecord) -> None:
        """A turn is over."""
        ...

    def ended(self, session_id: str, reason: str) -> None:
        """The session is over."""
        ...
