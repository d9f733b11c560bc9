"""A stand-in carrier: speaks Twilio's REST API, obeys TwiML, carries media streams, and can misbehave.

It is written from Twilio's documents, not from our code, and signs what it sends with Twilio's own library. A
developer phones an agent through it: `python -m tests.peers.carrier dial URL [--say speech.wav]`.
"""

from tests.peers.carrier.calls import Call, Person
from tests.peers.carrier.misbehaviour import Misbehaviour
from tests.peers.carrier.service import Carrier

__all__ = ["Call", "Carrier", "Misbehaviour", "Person"]
