from pydantic import SecretStr
from starlette.routing import Route, WebSocketRoute

from server.phone.options import PhoneOptions
from server.phone.routes import routes
from server.settings import ServerSettings, SessionSettings, Settings, TelephonySettings, TwilioSettings
from tests.server.phone.fakes import FakeFactory

SETTINGS = Settings(
    server=ServerSettings(public_url="https://voice.example"),
    telephony=TelephonySettings(default_agent="sales", twilio=TwilioSettings(auth_token=SecretStr("s3cret"))),
    sessions=SessionSettings(max=3),
)


def test_the_options_come_from_the_settings_and_do_not_show_the_token() -> None:
    options = PhoneOptions.of(SETTINGS)
    assert options == PhoneOptions("https://voice.example", "s3cret", "sales", 3)
    assert "s3cret" not in repr(options)


def test_the_routes_are_the_webhook_and_the_stream() -> None:
    webhook, stream = routes(FakeFactory(), SETTINGS)
    assert isinstance(webhook, Route)
    assert (webhook.path, webhook.methods) == ("/telephony/voice", {"POST"})
    assert isinstance(stream, WebSocketRoute)
    assert stream.path == "/telephony/stream"
