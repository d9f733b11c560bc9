"""The tables, a module for each subject. Whoever imports this package knows them all, as migrations must."""

from server.database.tables.accounts import Account, ApiKey
from server.database.tables.agents import MadeAgent
from server.database.tables.avatars import Avatar
from server.database.tables.base import Base, UtcDateTime
from server.database.tables.calls import Call, Turn
from server.database.tables.campaigns import Campaign, CampaignContact
from server.database.tables.credits import CreditBalance, CreditEntry, CreditReservation, IdempotentAnswer
from server.database.tables.files import StoredFile
from server.database.tables.jobs import Job, WebhookDelivery, WebhookEndpoint, Worker
from server.database.tables.phone import DoNotCall, PhoneCall, PhoneNumber

__all__ = [
    "Account",
    "ApiKey",
    "Avatar",
    "Base",
    "Call",
    "Campaign",
    "CampaignContact",
    "CreditBalance",
    "CreditEntry",
    "CreditReservation",
    "DoNotCall",
    "IdempotentAnswer",
    "Job",
    "MadeAgent",
    "PhoneCall",
    "PhoneNumber",
    "StoredFile",
    "Turn",
    "UtcDateTime",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Worker",
]
