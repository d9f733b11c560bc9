"""Reading the settings, and what is said of wrong ones."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.conversation.policy import TurnPolicy
from server.settings import Settings, SettingsError, load_settings
from server.settings.platform import PLANS, parse_window

KEY = "sk_live_" + "k" * 24


def problems(environ: dict[str, str]) -> list[str]:
    """What is wrong with these settings."""
    with pytest.raises(SettingsError) as raised:
        load_settings(environ)
    return raised.value.problems


def config(tmp_path: Path, text: str) -> dict[str, str]:
    """An environment that names a file with this text."""
    path = tmp_path / "c.yaml"
    path.write_text(text, "utf-8")
    return {"VISAVIS_CONFIG": str(path)}


def test_the_defaults_file_says_what_the_code_says() -> None:
    assert load_settings({}) == Settings()


def test_the_test_configuration_is_valid() -> None:
    test = Path(__file__).resolve().parents[2] / "configs" / "test.yaml"
    assert load_settings({"VISAVIS_CONFIG": str(test)}).server.port == 0


def test_the_configuration_for_a_gpu_is_valid() -> None:
    gpu = Path(__file__).resolve().parents[2] / "configs" / "gpu.yaml"
    assert load_settings({"VISAVIS_CONFIG": str(gpu)}).asr.device == "cuda"


def test_the_file_overrides_the_defaults_and_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environ = config(tmp_path, "llm: {base_url: 'http://one:1/v1/', model: m1}\nlog: {level: debug}\n")
    settings = load_settings({**environ, "VISAVIS_LLM__MODEL": "m2"})
    assert settings.llm.base_url == "http://one:1/v1"
    assert settings.llm.model == "m2"
    assert settings.log.level == "debug"
    assert settings.log.format == "console"


def test_values_of_the_environment_take_their_settings_type() -> None:
    settings = load_settings(
        {
            "VISAVIS_PORT": "9000",
            "VISAVIS_DATA_DIR": "/somewhere",
            "VISAVIS_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "VISAVIS_ASR__PARTIALS": "false",
            "VISAVIS_TURN__IDLE_AFTER": "12",
            "VISAVIS_TURN__BACKCHANNELS": "uh huh, Right",
            "VISAVIS_TELEPHONY__TWILIO__AUTH_TOKEN": "token",
            "VISAVIS_BOOTSTRAP_KEY": KEY,
        }
    )
    assert settings.server.port == 9000
    assert settings.public_url == "http://127.0.0.1:9000"
    assert settings.data_dir == Path("/somewhere")
    assert settings.server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.asr.partials is False
    assert settings.turn_policy == TurnPolicy(idle_after=12.0, backchannels=frozenset({"uh huh", "right"}))
    assert settings.telephony.twilio.auth_token.get_secret_value() == "token"
    assert set(settings.secrets()) == {"token", KEY}


def test_empty_variables_and_those_of_others_are_not_settings() -> None:
    environ = {"VISAVIS_PORT": "", "VISAVIS_BOOTSTRAP_KEY": "", "VISAVIS_MODELS_DIR": "/m", "PATH": "/bin", "VISA": "1"}
    assert load_settings(environ) == Settings()


def test_an_unknown_variable_is_named_with_the_likely_one() -> None:
    [problem] = problems({"VISAVIS_ASR__MODELL": "base"})
    assert problem.startswith("asr.modell (VISAVIS_ASR__MODELL): is not a setting; did you mean model? asr has: model,")


def test_an_unknown_section_is_named() -> None:
    [problem] = problems({"VISAVIS_FOO__BAR": "1"})
    assert "(VISAVIS_FOO__BAR): is not a setting; there are: data_dir" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server: {port: 99999}", "server.port = 99999 ({file}:1): must be a whole number from 0 to 65535"),
        ("\nlog:\n  level: loud", "log.level = 'loud' ({file}:3): must be one of debug, info, warning, error"),
        ("asr: {partials: maybe}", "asr.partials = 'maybe' ({file}:1): must be true or false"),
        ("llm: {temperature: hot}", "llm.temperature = 'hot' ({file}:1): must be a number from 0 to 2"),
        ("llm: {total_s: 0}", "llm.total_s = 0 ({file}:1): must be a number above 0 up to 3600"),
        (
            "llm: {base_url: 'ftp://x', model: m}",
            "llm.base_url = 'ftp://x' ({file}:1): must be an http:// or https:// address",
        ),
        ("llm: {base_url: 'http://x'}", "llm ({file}:1): model must be set where base_url is"),
        ("llm: 5", "llm ({file}:1): must be a section with: base_url, model"),
        ("asr: {language: English}", "asr.language = 'English' ({file}:1): must match"),
        ("asr: {model: enormous}", "asr.model = 'enormous' ({file}:1): must be tiny, base, small, or the folder of"),
        ("tts: {voice: ''}", "tts.voice = '' ({file}:1): must be a text, not empty"),
        (
            "server: {trusted_proxies: [10.0.0.0/99]}",
            "server.trusted_proxies = ['10.0.0.0/99'] ({file}:1): must be a list of networks",
        ),
        (
            "turn: {idle_after: -1}",
            "turn.idle_after = -1 ({file}:1): turn_taking.idle_after must lie between",
        ),
        (
            "turn: {prosody_sure: 2}",
            "turn.prosody_sure = 2 ({file}:1): turn_taking.prosody_sure must lie between 0 and 1",
        ),
        ("turn: {patience: 1}", "turn.patience ({file}:1): is not a setting; turn has: speculate_after"),
        (
            "telephony: {twilio: {token: x}}",
            "telephony.twilio.token ({file}:1): is not a setting; did you mean auth_token?",
        ),
        ("log: {level: info}\nlog: {level: debug}", "log ({file}:2): is written twice"),
        ("log: {level: info", "{file}:2 is not YAML"),
        ("- a\n- b", "{file}:1 must be a mapping of settings"),
    ],
)
def test_a_wrong_setting_names_itself_its_place_and_what_it_may_be(tmp_path: Path, text: str, expected: str) -> None:
    environ = config(tmp_path, text + "\n")
    found = problems(environ)
    assert any(problem.startswith(expected.replace("{file}", environ["VISAVIS_CONFIG"])) for problem in found), found


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    environ = config(tmp_path, "server: {prt: 1}\nlog: {level: loud}\n")
    found = problems({**environ, "VISAVIS_TTS__THREADS": "many"})
    assert len(found) == 3
    with pytest.raises(SettingsError, match="3 settings are wrong:\n  "):
        load_settings({**environ, "VISAVIS_TTS__THREADS": "many"})


@pytest.mark.parametrize(
    "key", ["sk_live_short", "k" * 40, "sk_live_" + "k" * 23, "sk_live_with spaces in it, long enough"]
)
def test_a_bootstrap_key_of_the_wrong_form_is_refused_without_being_shown(key: str) -> None:
    [problem] = problems({"VISAVIS_BOOTSTRAP_KEY": key})
    assert problem.startswith("bootstrap_key (VISAVIS_BOOTSTRAP_KEY): must begin with sk_live_ and have 32 characters")
    assert key not in problem


def test_secrets_are_not_shown_in_errors() -> None:
    [problem] = problems({"VISAVIS_DATABASE__URL": "mysql://user:hunter2@host/db"})
    assert problem == (
        "database.url (VISAVIS_DATABASE__URL): must begin with sqlite:///, postgresql:// or postgresql+psycopg://"
    )


def test_two_variables_for_one_setting_must_agree() -> None:
    assert load_settings({"VISAVIS_PORT": "1", "VISAVIS_SERVER__PORT": "1"}).server.port == 1
    [problem] = problems({"VISAVIS_PORT": "1", "VISAVIS_SERVER__PORT": "2"})
    assert problem == "VISAVIS_SERVER__PORT and VISAVIS_PORT set the same thing differently: remove one of them"


def test_a_file_that_is_not_there_is_named() -> None:
    assert problems({"VISAVIS_CONFIG": "/nowhere/c.yaml"}) == [
        "/nowhere/c.yaml cannot be read: No such file or directory"
    ]


def test_a_folder_with_a_model_is_accepted_for_recognition(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    assert load_settings({"VISAVIS_ASR__MODEL": str(tmp_path)}).asr.model == str(tmp_path)


def test_settings_cannot_be_changed_and_secrets_do_not_show() -> None:
    settings = load_settings({"VISAVIS_LLM__API_KEY": "very-secret"})
    with pytest.raises(ValueError, match="frozen"):
        settings.llm.model = "other"
    assert "very-secret" not in repr(settings)


@given(st.dictionaries(st.from_regex(r"VISAVIS_[A-Z_]{1,30}", fullmatch=True), st.text(max_size=20), max_size=4))
def test_any_environment_gives_settings_or_an_error_that_names_the_variables(environ: dict[str, str]) -> None:
    environ.pop("VISAVIS_CONFIG", None)
    try:
        load_settings(environ)
    except SettingsError as error:
        assert error.problems
        assert all("VISAVIS_" in problem for problem in error.problems)


@given(st.text(max_size=60))
def test_any_file_gives_settings_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("c") / "c.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load_settings({"VISAVIS_CONFIG": str(path)})
    except SettingsError as error:
        assert all(str(path) in problem for problem in error.problems)


def test_windows_are_requests_and_seconds() -> None:
    assert parse_window("5 per 10 seconds") == (5, 10)
    assert parse_window("200 per hour") == (200, 3600)
    assert parse_window("3/2 minutes") == (3, 120)
    for wrong in ("", "5", "0 per 10 seconds", "5 per 0 seconds", "5 per 2 days", "-1 per second", "five per second"):
        with pytest.raises(ValueError, match="requests per time"):
            parse_window(wrong)
    [problem] = problems({"VISAVIS_PLANS__PRO__GENERATE": "often"})
    assert problem.startswith("plans.pro.generate = 'often' (VISAVIS_PLANS__PRO__GENERATE): must be requests per time")


def test_a_plan_that_is_not_known_any_more_counts_as_the_least() -> None:
    plans = Settings().plans
    assert plans.of("enterprise").credits == 100_000
    assert plans.of("platinum") == plans.free
    assert [plans.of(plan).requests_per_day for plan in PLANS] == [100, 500, 1_000, 10_000, 1_000_000]
