import pytest
from pydantic import SecretStr
from starlette.routing import Route, WebSocketRoute

from server.phone.desk import PhoneParts
from server.phone.live import LiveCalls
from server.phone.options import CarrierName, PhoneOptions
from server.phone.routes import PhoneEndpoints
from server.settings import ServerSettings, SessionSettings, Settings, TelephonySettings, TwilioSettings
from server.settings.phone import PlivoSettings, TelnyxSettings
from tests.server.phone.fakes import FakeBook, FakeFactory

SETTINGS = Settings(
    server=ServerSettings(public_url="https://voice.example"),
    telephony=TelephonySettings(twilio=TwilioSettings(auth_token=SecretStr("s3cret"))),
    sessions=SessionSettings(max=3),
)


def test_the_options_come_from_the_settings_and_do_not_show_the_token() -> None:
    options = PhoneOptions.of(SETTINGS)
    assert options == PhoneOptions("https://voice.example", "s3cret", 3)
    assert "s3cret" not in repr(options)


@pytest.mark.parametrize(
    ("carrier", "secret"),
    [
        ("twilio", "s3cret"),
        ("telnyx", "A" * 43 + "="),
        ("plivo", "pl1vo"),
    ],
)
def test_each_carrier_proves_itself_with_its_own_secret(carrier: CarrierName, secret: str) -> None:
    telephony = SETTINGS.telephony.model_copy(
        update={
            "carrier": carrier,
            "telnyx": TelnyxSettings(public_key="A" * 43 + "="),
            "plivo": PlivoSettings(auth_token=SecretStr("pl1vo")),
        }
    )
    options = PhoneOptions.of(SETTINGS.model_copy(update={"telephony": telephony}))
    assert (options.carrier, options.auth_token) == (carrier, secret)


def test_all_webhooks_are_posts_and_the_stream_is_a_socket() -> None:
    parts = PhoneParts(FakeFactory(), FakeBook(), LiveCalls())
    routes = PhoneEndpoints.of(parts, SETTINGS).routes()
    webhooks = {route.path: route.methods for route in routes if isinstance(route, Route)}
    music = webhooks.pop("/telephony/hold.wav")
    assert music == {"GET", "HEAD"}
    assert set(map(str, webhooks.values())) == {"{'POST'}"}
    assert {"/telephony/voice", "/telephony/outbound/{call_id}", "/telephony/status/{call_id}"} <= set(webhooks)
    assert [route.path for route in routes if isinstance(route, WebSocketRoute)] == ["/telephony/stream"]
