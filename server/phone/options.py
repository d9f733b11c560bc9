"""What the telephone endpoints need to know of the settings, and the seam to what makes sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from agents.definition import AgentDefinition, PhoneDefinition
from agents.link import AudioLink, Conversant
from agents.session.services import Services
from media.speech.protocols import Voice
from server.settings import Settings

CarrierName: TypeAlias = Literal["twilio", "telnyx", "plivo"]


@dataclass(frozen=True, slots=True)
class PhoneOptions:
    """Settings of the telephone endpoints; times in seconds.

    `public_url`: how the world reaches this server (http or https); signatures are computed over it and the
    stream's URL is made from it. `auth_token`: what the `carrier` proves itself with, Twilio's or Plivo's auth token or
    Telnyx's public key; "" for none: then only this machine may call. `ring_seconds`: how long a person rings to whom
    a call is transferred.
    `start_timeout`: a connection is a call by then or it is closed. `silence_timeout`: a line that sends no
    audio at all is dead. `wind_up`: what a session gets to finish its record when the caller has left.
    """

    public_url: str
    auth_token: str = field(repr=False)
    max_sessions: int
    carrier: CarrierName = "twilio"
    ring_seconds: int = 30
    start_timeout: float = 5.0
    silence_timeout: float = 10.0
    wind_up: float = 1.0

    @classmethod
    def of(cls, settings: Settings) -> PhoneOptions:
        """The telephone's part of the settings."""
        telephony = settings.telephony
        secrets = {
            "twilio": telephony.twilio.auth_token.get_secret_value(),
            "telnyx": telephony.telnyx.public_key,
            "plivo": telephony.plivo.auth_token.get_secret_value(),
        }
        return cls(
            public_url=settings.public_url,
            auth_token=secrets[telephony.carrier],
            max_sessions=settings.sessions.max,
            carrier=telephony.carrier,
            ring_seconds=telephony.ring_s,
        )


@dataclass(frozen=True, slots=True)
class CallBrief:
    """What a session is told of the call that it takes part in.

    `record_id`: the row of `calls` that it belongs to, which exists already; its turns go on after those that are
    there. `opening`: said first instead of the agent's greeting, "" for nothing, None for the greeting. `notes`, for
    the model: whom it talks with, the call's variables, what was said before a transfer. `outbound`: we called, so
    that "Hello?", "Yes?" and the like over the opening are no interruption. `variables` fill in what the agent says of
    its own accord later in the call.
    """

    record_id: str | None = None
    opening: str | None = None
    notes: str = ""
    outbound: bool = False
    variables: Mapping[str, Any] = field(default_factory=dict)


class Sessions(Protocol):
    """Makes sessions for whatever carries their audio."""

    @property
    def active_sessions(self) -> int:
        """Sessions that run now, of every kind."""
        ...

    def has_agent(self, agent_id: str) -> bool:
        """Whether there is an agent of this name."""
        ...

    def open_session(self, agent_id: str, link: AudioLink, *, call_id: str, peer: str, channel: str) -> Conversant:
        """A new session of this agent on this link; whoever opened it awaits its `run` once.

        `call_id` names the call in records, `peer` is who calls (a telephone number, "" where unknown),
        `channel` the kind of connection. Raises `KeyError` for an agent that does not exist.
        """
        ...


class SessionFactory(Sessions, Protocol):
    """Makes sessions for telephone calls. The engine implements it.

    Agents are the configured ones and those that people made and that are loaded now; what asks for another raises
    `KeyError`.
    """

    def open_session(
        self,
        agent_id: str,
        link: AudioLink,
        *,
        call_id: str,
        peer: str,
        channel: str,
        brief: CallBrief | None = None,
    ) -> Conversant:
        """As `Sessions` says; `brief`: what the session is told of its call."""
        ...

    def definition_of(self, agent_id: str) -> AgentDefinition:
        """An agent's definition. Raises `KeyError`."""
        ...

    def phone_of(self, agent_id: str) -> PhoneDefinition:
        """How an agent behaves on the telephone. Raises `KeyError`."""
        ...

    def voice_of(self, agent_id: str) -> Voice:
        """The voice with which an agent speaks. Raises `KeyError`."""
        ...

    async def prepare(self, agent_id: str, texts: Sequence[str]) -> None:
        """Speak these texts ahead in the agent's voice, into its cache, before anything that nobody waits for.

        Returns when they are there. Raises `KeyError`; a voice that fails is no error, the texts are spoken later.
        """
        ...

    @property
    def services(self) -> Services | None:
        """The models that listen; None before they are loaded and after they are closed."""
        ...
