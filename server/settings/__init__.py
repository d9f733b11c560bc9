"""What can be set, and how it is read: configs/default.yaml, then VISAVIS_CONFIG's file, then the environment."""

from server.settings.load import SettingsError, load_settings
from server.settings.model import (
    AsrSettings,
    DatabaseSettings,
    FetchingSettings,
    JobSettings,
    LlmSettings,
    LogSettings,
    MetricsSettings,
    ServerSettings,
    SessionSettings,
    Settings,
    StorageSettings,
    TtsSettings,
    WebhookSettings,
)
from server.settings.phone import TelephonySettings, TwilioSettings

__all__ = [
    "AsrSettings",
    "DatabaseSettings",
    "FetchingSettings",
    "JobSettings",
    "LlmSettings",
    "LogSettings",
    "MetricsSettings",
    "ServerSettings",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "TelephonySettings",
    "TtsSettings",
    "TwilioSettings",
    "WebhookSettings",
    "load_settings",
]
