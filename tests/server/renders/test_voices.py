from __future__ import annotations

import pytest

from server.renders.voices import NoVoice, Voices, base_language

HERE = Voices(
    ("piper-joe", "kokoro:af_heart", "kokoro:bf_emma", "kokoro:ef_dora", "kokoro:jf_alpha", "kokoro:zf_xiaobei"),
    "piper-joe",
)


def test_the_default_voice_speaks_its_own_language() -> None:
    assert HERE.choose(language="en") == "piper-joe"
    assert HERE.choose(language=None) == "piper-joe"
    assert HERE.choose(language="en-US") == "piper-joe"


def test_another_language_finds_a_voice_that_speaks_it() -> None:
    assert HERE.choose(language="es") == "kokoro:ef_dora"
    assert HERE.choose(language="es-MX") == "kokoro:ef_dora"


def test_who_asks_for_kokoro_gets_it_where_it_is() -> None:
    assert HERE.choose(language="en", kokoro=True) == "kokoro:af_heart"
    assert HERE.choose(language="en-GB", kokoro=True) == "kokoro:bf_emma"
    assert Voices(("piper-joe",), "piper-joe").choose(language="en", kokoro=True) == "piper-joe"


def test_a_language_nobody_speaks_names_those_that_are_spoken() -> None:
    with pytest.raises(NoVoice, match=r"no voice here speaks 'de'; there are voices for en, es"):
        HERE.choose(language="de")


def test_voices_that_read_their_language_wrongly_are_not_offered() -> None:
    assert "kokoro:jf_alpha" not in HERE.offered
    with pytest.raises(NoVoice, match="no voice here speaks 'ja'"):
        HERE.choose(language="ja")
    with pytest.raises(NoVoice, match="there is no voice 'kokoro:zf_xiaobei'"):
        HERE.choose(language=None, voice="kokoro:zf_xiaobei")


def test_a_named_voice_decides_and_must_speak_the_language() -> None:
    assert HERE.choose(language=None, voice="kokoro:ef_dora") == "kokoro:ef_dora"
    assert HERE.choose(language="en", voice="kokoro:bf_emma") == "kokoro:bf_emma"
    with pytest.raises(NoVoice, match="kokoro:ef_dora speaks es, not en"):
        HERE.choose(language="en", voice="kokoro:ef_dora")


def test_a_voice_cannot_be_named_by_a_path() -> None:
    with pytest.raises(NoVoice, match=r"there is no voice '/etc/passwd\.onnx'"):
        HERE.choose(language=None, voice="/etc/passwd.onnx")


def test_the_default_voice_may_be_any_and_speaks_what_the_settings_say() -> None:
    own = Voices(("piper-joe",), "/voices/thorsten.onnx", "de")
    assert own.choose(language="de") == "/voices/thorsten.onnx"
    assert own.languages == ("de", "en")


@pytest.mark.parametrize(("tag", "base"), [("en", "en"), ("EN-us", "en"), ("pt-BR", "pt"), ("zh-Hant-TW", "zh")])
def test_a_tag_has_a_language(tag: str, base: str) -> None:
    assert base_language(tag) == base


@pytest.mark.parametrize("tag", ["", "e", "english language", "en_US", "en-", "../..", "e\n"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="must be a language tag like en or en-US"):
        base_language(tag)
