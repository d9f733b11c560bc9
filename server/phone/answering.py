"""An answered call of ours, from its first to its last word: what becomes of it by who has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog

from agents.link import Conversant
from agents.session.services import Services
from server.phone.announcement import Announcement
from server.phone.book import CallBook, CallFacts, CallOrder, Outcome
from server.phone.briefs import fill
from server.phone.call import PhoneCall
from server.phone.link import PhoneLink
from server.phone.options import SessionFactory
from server.phone.watch import AnsweringWatch
from telephony.answering import AnsweringOptions, GreetingOver, Verdict
from telephony.greetings import Party

PATIENCE: Final = 60.0
"""Seconds that we wait for a person after a screener was told who is calling."""
NO_HURRY: Final = AnsweringOptions(decide=2 * PATIENCE, last_ask=2 * PATIENCE, watched=2 * PATIENCE)
"""For that time: nobody has to be told apart within 2.5 s, and silence is no person."""
_DISMISSALS: Final = {
    Party.MACHINE: "a machine answered",
    Party.SCREENER: "a screener answered",
    Party.CARRIER: "the number cannot be reached",
}

OpenSession = Callable[[PhoneLink], Conversant]

log = structlog.get_logger(__name__)


async def hold_outbound(
    call: PhoneCall, order: CallOrder, *, factory: SessionFactory, book: CallBook, open_session: OpenSession
) -> None:
    """Hold an answered call of ours until it is over, and note who answered and what came of it.

    The agent speaks at once, as if a person had answered; the watch listens beside it. `open_session` makes its session
    on a link. With somebody else than a person the agent does as `agents.definition.PhoneDefinition` says, on the same
    stream. Returns when nobody of ours has anything more to say. Raises `KeyError` where the agent is gone.
    """
    services, phone = factory.services, factory.phone_of(order.agent_id)
    if services is None or not phone.detect_machine:
        await call.converse(open_session(call.next_link()))
        return
    await _OutboundCall(call, order, factory=factory, book=book, open_session=open_session, services=services).hold()


class _OutboundCall:
    """One of them. The watch of the moment is an argument everywhere: there may be another one after a screener."""

    def __init__(
        self,
        call: PhoneCall,
        order: CallOrder,
        *,
        factory: SessionFactory,
        book: CallBook,
        open_session: OpenSession,
        services: Services,
    ) -> None:
        self._call = call
        self._order = order
        self._factory = factory
        self._book = book
        self._open_session = open_session
        self._services = services
        self._definition = factory.definition_of(order.agent_id)
        self._loop = asyncio.get_running_loop()
        self._acting: Verdict | None = None
        self._dismissal = ""

    async def hold(self) -> None:
        """From the answer on."""
        async with self._watch() as watch:
            await self._converse(watch)
            mine = self._call.hung_up in (None, self._dismissal)  # else the session had ended the call just then
            if self._acting is not None and self._call.gone is None and mine:
                await self._follow(self._acting, watch)

    def _watch(self, options: AnsweringOptions | None = None) -> AnsweringWatch:
        language = self._definition.language
        return AnsweringWatch(
            self._services.activity,
            self._services.recogniser,
            language=None if language == "auto" else language,
            options=options,
        )

    async def _converse(self, watch: AnsweringWatch) -> None:
        """The agent talks until the call is over, or somebody has answered with whom it shall not talk."""
        link = self._call.next_link()
        link.watch, tell = watch.hear, link.on_event

        def on_event(event: str, data: dict[str, object]) -> None:
            watch.on_event(event, data)
            if tell is not None:
                tell(event, data)

        link.on_event = on_event
        session = self._open_session(link)
        with structlog.contextvars.bound_contextvars(session=session.id):
            deciding = asyncio.create_task(self._decide(session, watch))
            try:
                await self._call.converse(session)
            finally:
                link.watch = None
                deciding.cancel()
                await asyncio.gather(deciding, return_exceptions=True)
        if self._acting is None and not watch.sure.done():
            await self._note_person(watch)

    async def _decide(self, session: Conversant, watch: AnsweringWatch) -> None:
        """When it is sure who has answered, end the session that was meant for a person."""
        verdict = await asyncio.shield(watch.sure)
        if verdict.party is Party.HUMAN or not verdict.sure:
            await self._note_person(watch)
            return
        if verdict.party is Party.MACHINE and self._definition.phone.on_machine == "carry_on":
            await self._note(CallFacts(answered_by="machine"))
            return
        self._acting = verdict
        self._dismissal = _DISMISSALS[verdict.party]
        session.caller_left(self._dismissal)

    async def _follow(self, verdict: Verdict, watch: AnsweringWatch) -> None:
        """What comes instead of the conversation."""
        match verdict.party:
            case Party.CARRIER:
                outcome = Outcome.BUSY if verdict.why == "busy" else Outcome.NOT_IN_SERVICE
                await self._note(CallFacts(answered_by="unknown", outcome=outcome))
            case Party.SCREENER:
                await self._note(CallFacts(answered_by="machine", outcome=Outcome.SCREENED))
                await self._answer_screener(watch)
            case Party.MACHINE:
                await self._on_machine(verdict, watch)

    async def _on_machine(self, verdict: Verdict, watch: AnsweringWatch) -> None:
        phone = self._definition.phone
        text = fill(phone.message, self._order.variables)
        if phone.on_machine != "leave_message" or not text or not verdict.takes_message:
            await self._note(CallFacts(answered_by="machine", outcome=Outcome.MACHINE))
            return
        await self._note(CallFacts(answered_by="machine"))
        link = self._call.next_link()
        link.watch = watch.hear
        message = self._announcement(link, text, self._records(watch), hang_up=Outcome.MESSAGE_LEFT)
        watch.on_beep = message.again
        await self._call.converse(message)
        await self._note(CallFacts(outcome=Outcome.MESSAGE_LEFT if message.spoken else Outcome.MACHINE))

    async def _answer_screener(self, watch: AnsweringWatch) -> None:
        """Say who is calling, wait for the person, and talk with them."""
        link = self._call.next_link()
        link.watch = watch.hear
        await self._call.converse(self._announcement(link, self._introduction(), watch.greeting_over))
        deadline = self._loop.time() + PATIENCE
        while self._call.gone is None and self._call.hung_up is None and self._loop.time() < deadline:
            async with self._watch(NO_HURRY) as later:
                verdict = await self._somebody_comes(later, deadline)
                if verdict is not None and verdict.party in (Party.MACHINE, Party.CARRIER):
                    await self._on_machine(verdict, later)
                    return
            if verdict is not None and verdict.party is Party.HUMAN:
                await self._note(CallFacts(answered_by="human"))
                await self._call.converse(self._open_session(self._call.next_link()))
                return

    async def _somebody_comes(self, watch: AnsweringWatch, deadline: float) -> Verdict | None:
        """Keep the line until somebody speaks; None where that was the screener who asks to wait, or all is over."""
        link = self._call.next_link()
        link.watch = watch.hear
        voice, patience = self._factory.voice_of(self._order.agent_id), deadline - self._loop.time()
        await self._call.converse(Announcement(link, voice, [], until=watch.verdict, patience=patience))
        if not watch.verdict.done() or watch.reading.holding:
            return None
        return watch.verdict.result()

    def _records(self, watch: AnsweringWatch) -> asyncio.Future[None]:
        """Done when the machine has finished and records; cancelled where it has said meanwhile that it cannot."""
        ready: asyncio.Future[None] = self._loop.create_future()

        def over(greeting: asyncio.Future[GreetingOver]) -> None:
            if greeting.cancelled() or watch.reading.full:
                ready.cancel()
            elif not ready.done():
                ready.set_result(None)

        watch.greeting_over.add_done_callback(over)
        return ready

    def _announcement(
        self, link: PhoneLink, text: str, begin: asyncio.Future[Any], *, hang_up: str = ""
    ) -> Announcement:
        voice, speed = self._factory.voice_of(self._order.agent_id), self._definition.voice.speed
        return Announcement(link, voice, [text], speed=speed, begin=begin, hang_up=hang_up)

    def _introduction(self) -> str:
        """What a screener is told."""
        text = fill(self._definition.phone.screening, self._order.variables)
        if text:
            return text
        name = fill("{name}", self._order.variables)
        whom = f"calling for {name}" if name else "and I would like to speak with the owner of this number"
        return f"This is {self._definition.name}, {whom}."

    # What is told to the books

    async def _note_person(self, watch: AnsweringWatch) -> None:
        """Nothing sure has said otherwise: whoever was taken for a person is one."""
        last = watch.verdicts[-1] if watch.verdicts else None
        human = last is not None and last.party is Party.HUMAN and watch.spoke
        await self._note(CallFacts(answered_by="human" if human else "unknown"))

    async def _note(self, facts: CallFacts) -> None:
        try:
            await self._book.note(self._order.call_id, facts)
        except Exception:  # the call goes on without the note
            log.exception("what was learnt of a call was not noted", call=self._order.call_id)
