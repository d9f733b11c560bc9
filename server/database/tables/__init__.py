"""The tables, a module for each subject. Whoever imports this package knows them all, as migrations must."""

from server.database.tables.accounts import Account, ApiKey
from server.database.tables.agents import MadeAgent
from server.database.tables.avatars import Avatar
from server.database.tables.base import Base, UtcDateTime
from server.database.tables.calls import Call, Turn
from server.database.tables.credits import CreditBalance, CreditEntry, CreditReservation, IdempotentAnswer
from server.database.tables.files import StoredFile
from server.database.tables.jobs import Job, WebhookDelivery, WebhookEndpoint, Worker

__all__ = [
    "Account",
    "ApiKey",
    "Avatar",
    "Base",
    "Call",
    "CreditBalance",
    "CreditEntry",
    "CreditReservation",
    "IdempotentAnswer",
    "Job",
    "MadeAgent",
    "StoredFile",
    "Turn",
    "UtcDateTime",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Worker",
]
