"""Pure ASGI middleware: each wraps an application and touches only the messages it must."""

from server.middleware.body import BodyBounds, BodyLimit
from server.middleware.headers import SecurityHeaders
from server.middleware.proxies import TrustedProxies
from server.middleware.requests import Requests

__all__ = ["BodyBounds", "BodyLimit", "Requests", "SecurityHeaders", "TrustedProxies"]
