"""What can be set, and how it is read: configs/default.yaml, then VISAVIS_CONFIG's file, then the environment."""

from server.settings.load import SettingsError, load_settings
from server.settings.model import (
    AsrSettings,
    DatabaseSettings,
    LlmSettings,
    LogSettings,
    MetricsSettings,
    ServerSettings,
    SessionSettings,
    Settings,
    TelephonySettings,
    TtsSettings,
    TwilioSettings,
)

__all__ = [
    "AsrSettings",
    "DatabaseSettings",
    "LlmSettings",
    "LogSettings",
    "MetricsSettings",
    "ServerSettings",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "TelephonySettings",
    "TtsSettings",
    "TwilioSettings",
    "load_settings",
]
