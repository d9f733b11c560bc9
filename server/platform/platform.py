"""The platform's endpoints, put together."""

from __future__ import annotations

from server.fetching import UrlPolicy
from server.gate.auth import Authenticator
from server.gate.registry import Endpoint
from server.platform.account import AccountDesk
from server.platform.engines import Engines
from server.platform.generation import GenerationDesk
from server.platform.history import history_endpoint
from server.platform.keys import KeyDesk
from server.settings import Settings


def platform_endpoints(
    settings: Settings, *, authenticator: Authenticator, engines: Engines, policy: UrlPolicy
) -> list[Endpoint]:
    """Generation, keys, settings and usage. `engines` may be filled later; `policy`: which URLs of users are taken."""
    return [
        *GenerationDesk(settings.prices, engines, policy).endpoints(),
        *KeyDesk(authenticator).endpoints(),
        *AccountDesk(settings.plans, policy).endpoints(),
        history_endpoint(),
    ]
