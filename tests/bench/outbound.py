"""How soon somebody whom an agent calls hears it: `python -m tests.bench.outbound [--calls N]`.

The whole server with its models, the stand-in carrier in this process. A call is ordered over the API; who is
called picks up after a second and says nothing. Measured are the times from picking up to the first audible frame of
the greeting, and from the order to the carrier having it. The first call is to a server that has just started.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Final

import httpx

from tests.bench import processes
from tests.bench.figures import milliseconds, quantile
from tests.peers.carrier import Call, Carrier, Person
from tests.peers.phone_caller import PhoneCaller

OWN: Final = "+14155550100"
CALLED: Final = "+12125550150"
RINGS: Final = 1.0
PATIENCE: Final = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.outbound", description=__doc__)
    parser.add_argument("--calls", type=int, default=10)
    asyncio.run(measure(parser.parse_args().calls))


async def measure(calls: int) -> None:
    """One call after another."""
    key = "sk_live_" + secrets.token_hex(20)
    waits: list[float | None] = []
    ordered: list[float] = []

    async def listen(line: PhoneCaller) -> None:
        call = next(call for call in carrier.calls.values() if call.line is line)
        heard = await line.until_audible(0.0, PATIENCE)
        waits.append(None if heard is None else heard - call.answered_at)

    print(processes.machine())
    with tempfile.TemporaryDirectory() as name:
        async with Carrier() as carrier, processes.language_model(Path(name)) as llm:
            carrier.people[CALLED] = Person(listen, rings=RINGS)
            environment = {
                "VISAVIS_BOOTSTRAP_KEY": key,
                "VISAVIS_TELEPHONY__NUMBER": OWN,
                "VISAVIS_TELEPHONY__TWILIO__ACCOUNT_SID": carrier.account,
                "VISAVIS_TELEPHONY__TWILIO__AUTH_TOKEN": carrier.token,
                "VISAVIS_TELEPHONY__TWILIO__API": carrier.url,
                "VISAVIS_TELEPHONY__PER_DESTINATION_DAY": "10000",
                "VISAVIS_TELEPHONY__QUIET_FROM": "00:00:00",
                "VISAVIS_TELEPHONY__QUIET_UNTIL": "00:00:00",
            }
            async with processes.server(Path(name), llm, **environment) as (url, _), httpx.AsyncClient() as client:
                for _ in range(calls):
                    ordered.append(await order(client, url, key, carrier))
                    await carrier.quiet()
    heard = [wait for wait in waits if wait is not None]
    print(f"from picking up to the first audible frame: p50 {milliseconds(quantile(heard, 0.5))}, ", end="")
    print(f"p95 {milliseconds(quantile(heard, 0.95))}, first call {milliseconds(waits[0])} ms; {len(heard)} of {calls}")
    print(f"from POST to the carrier's call: p50 {milliseconds(quantile(ordered, 0.5))} ms")


async def order(client: httpx.AsyncClient, url: str, key: str, carrier: Carrier) -> float:
    """Order a call and wait for the carrier to have it; returns how long that took."""
    before = len(carrier.calls)
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = await client.post(
        f"{url}/api/voice-agent/calls/outbound",
        json={"agentId": "demo", "phoneNumber": CALLED},
        headers={"Authorization": f"Bearer {key}"},
    )
    answer.raise_for_status()
    async with asyncio.timeout(PATIENCE):
        while len(carrier.calls) == before:
            await asyncio.sleep(0.002)
    call: Call = list(carrier.calls.values())[-1]
    took = loop.time() - began
    await call.over.wait()
    return took


if __name__ == "__main__":
    main()
