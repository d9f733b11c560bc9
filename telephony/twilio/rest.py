"""Calls at Twilio over its REST API: placed, followed, redirected, hung up.

The official client says what is sent; what carries it is ours (httpx2), so that it has time-outs, a bounded pool, one
retry where that is safe, and a base URL that tests can set.

Source: twilio.com/docs/voice/api/call-resource.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import httpx2
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from telephony.errors import TelephonyError

API: Final = "https://api.twilio.com"
TIMEOUT: Final = httpx2.Timeout(10.0, connect=3.0, pool=3.0)
RETRY_AFTER: Final = 0.3
CLOCKS_APART: Final = timedelta(seconds=5)
"""What the carrier's clock and ours may differ by: to `TwilioCalls.find` calls, look from so much earlier on."""
_PAGE: Final = 50
_LIMITS: Final = httpx2.Limits(max_connections=20, max_keepalive_connections=5)
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_NOT_FOUND: Final = 404
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_EVENTS: Final = ["initiated", "ringing", "answered", "completed"]

T = TypeVar("T")


class CarrierError(TelephonyError):
    """The carrier did not do what was asked.

    CarrierError
    ├── CarrierRefused      it said no: asking again is useless; `code` is its own error number
    ├── CarrierUnavailable  it was not reached, or has too much to do: nothing happened, try later
    └── CarrierUnsure       it was asked and has not answered: what was asked may have happened
    """


class CarrierRefused(CarrierError):
    """The carrier said no."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class CarrierUnavailable(CarrierError):
    """Nothing happened, and may later."""


class CarrierUnsure(CarrierError):
    """It may have happened. The status callbacks, or `TwilioCalls.status`, will tell."""


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """A call as the carrier has it. `status`: its own word, for `telephony.progress`; `seconds`: None until the end."""

    sid: str
    status: str
    seconds: int | None


class TwilioCalls:
    """The calls of one Twilio account. Close it once."""

    def __init__(self, account_sid: str, auth_token: str, *, api: str = API, timeout: httpx2.Timeout = TIMEOUT) -> None:
        self._http = httpx2.AsyncClient(timeout=timeout, limits=_LIMITS, follow_redirects=False, trust_env=False)
        self._client = Client(
            account_sid, auth_token, http_client=_Transport(self._http, api.rstrip("/")), environment={}
        )

    async def place(
        self,
        *,
        to: str,
        caller: str,
        answer_url: str,
        status_url: str,
        ring_seconds: int = 30,
        longest_seconds: int = 3600,
    ) -> CarrierCall:
        """Call `to` from `caller` (both E.164); when it is answered, `answer_url` says what happens.

        Asked once more only where it certainly was not heard the first time: nobody is called twice.
        Raises `CarrierRefused`, `CarrierUnavailable`, `CarrierUnsure`.
        """
        return await self._asked(
            lambda: self._client.calls.create_async(
                to=to,
                from_=caller,
                url=answer_url,
                method="POST",
                status_callback=status_url,
                status_callback_method="POST",
                status_callback_event=_EVENTS,
                timeout=ring_seconds,
                time_limit=longest_seconds,
            ),
            repeatable=False,
        )

    async def status(self, sid: str) -> CarrierCall:
        """The call as it stands. Raises as `place` does."""
        return await self._asked(self._client.calls(sid).fetch_async, repeatable=True)

    async def find(self, *, to: str, caller: str, since: datetime) -> list[CarrierCall]:
        """The calls from `caller` to `to` that were placed after `since`, the oldest first, among the latest 50.

        For a `place` of which it is not known what came. Raises as `place` does.
        """
        # Not by StartTime, which a call has only once it was dialled.
        found = await self._answer(
            lambda: self._client.calls.list_async(to=to, from_=caller, limit=_PAGE, page_size=_PAGE), repeatable=True
        )
        placed = [call for call in found if call.direction == "outbound-api" and call.date_created is not None]
        placed.sort(key=lambda call: call.date_created)
        return [_carrier_call(call) for call in placed if call.date_created >= since]

    async def hang_up(self, sid: str, *, ringing: bool = False) -> CarrierCall:
        """End a call: one in progress, or, where it is queued or `ringing`, before it is answered."""
        status = "canceled" if ringing else "completed"
        return await self._asked(lambda: self._client.calls(sid).update_async(status=status), repeatable=True)

    async def redirect(self, sid: str, twiml: str) -> CarrierCall:
        """Let a call in progress go on with this TwiML; its media stream ends."""
        return await self._asked(lambda: self._client.calls(sid).update_async(twiml=twiml), repeatable=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _asked(self, ask: Callable[[], Awaitable[Any]], *, repeatable: bool) -> CarrierCall:
        return await self._answer(lambda: _call(ask), repeatable=repeatable)

    async def _answer(self, ask: Callable[[], Awaitable[T]], *, repeatable: bool) -> T:
        try:
            return await _once(ask)
        except (CarrierUnavailable, CarrierUnsure) as error:
            if isinstance(error, CarrierUnsure) and not repeatable:
                raise
        await asyncio.sleep(RETRY_AFTER)
        return await _once(ask)


async def _call(ask: Callable[[], Awaitable[Any]]) -> CarrierCall:
    return _carrier_call(await ask())


def _carrier_call(call: Any) -> CarrierCall:
    return CarrierCall(str(call.sid), str(call.status), int(call.duration) if call.duration else None)


async def _once(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await ask()
    except TwilioRestException as error:
        raise _translated(error.status, error.msg, error.code) from None
    except TwilioException as error:  # of lists, which the client reports in another way
        answer = error.args[1] if len(error.args) > 1 else None
        raise _translated(answer.status_code if isinstance(answer, Response) else _SERVER_ERROR) from None
    except _NEVER_SENT:
        raise CarrierUnavailable("Twilio could not be reached") from None
    except (httpx2.TransportError, ValueError, TypeError):  # no answer, or one that is none
        raise CarrierUnsure("Twilio did not answer") from None


def _translated(status: int, text: str = "", code: int | None = None) -> CarrierError:
    if status == _TOO_MANY:
        return CarrierUnavailable("Twilio takes no more requests at the moment")
    if status >= _SERVER_ERROR:
        return CarrierUnsure(f"Twilio failed with status {status}")
    if status == _NOT_FOUND:
        return CarrierRefused("Twilio knows no such call", code)
    if status in (401, 403):
        credentials = "Twilio refused the credentials (telephony.twilio.account_sid and auth_token)"
        return CarrierRefused(credentials, code)
    return CarrierRefused(f"Twilio refused: {text[:200] or f'status {status}'}", code)


class _Transport(HttpClient):  # type: ignore[misc]  # twilio is not typed
    """What carries the client's requests."""

    def __init__(self, http: httpx2.AsyncClient, api: str) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._http = http
        self._api = api

    # The client awaits what an asynchronous transport returns; its base class is written for the other kind.
    async def request(self, method: str, uri: str, **asked: Any) -> Response:
        """Send one request, with what the client has `asked` for; only failures to send it raise."""
        answer = await self._http.request(
            method,
            uri.replace(API, self._api, 1),
            params=_fields(asked["params"]),
            data=_fields(asked["data"]),
            headers=asked["headers"],
            auth=asked["auth"],
        )
        return Response(answer.status_code, answer.text, dict(answer.headers))


def _fields(values: Mapping[str, object] | None) -> dict[str, str | list[str]]:
    given = (values or {}).items()
    return {name: [str(each) for each in value] if isinstance(value, list) else str(value) for name, value in given}
