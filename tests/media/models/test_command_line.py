"""`python -m media.models`: what it prints and its exit codes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from media.models import Console, default_models
from media.models.__main__ import main
from media.models.manifest import default_manifest


@pytest.fixture(autouse=True)
def empty_models(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """An empty models folder."""
    monkeypatch.setenv("VISAVIS_MODELS_DIR", str(root))


def test_list_shows_every_model_and_whether_it_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(default_manifest().models)
    assert all(" not here " in line for line in lines[1:])
    assert sum(" required " in line for line in lines) == len(default_models())


def test_verify_fails_and_says_how_to_mend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 1
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(default_models())
    assert "python -m media.models fetch whisper-base" in out


def test_fetch_fails_with_one_line_when_the_registry_has_nothing(
    registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "silero-vad"]) == 1
    error = capsys.readouterr().err.splitlines()
    assert error[0] == "silero-vad: fetching 11.3 MB"
    assert error[1].startswith("error: silero-vad 6.2.3 could not be downloaded")
    assert len(error) == 2


def test_an_unknown_model_fails_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "nothing"]) == 1
    assert "there is no model 'nothing'; there are: whisper-base" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["fetch", "--source", "elsewhere"], ["fetch", "--source", "hub", "--from", "x"]]
)
def test_a_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: python -m media.models" in capsys.readouterr().err


def test_a_log_gets_whole_lines_and_a_terminal_a_moving_bar() -> None:
    log = io.StringIO()
    console = Console(log)
    console.begin("m", 2_000_000)
    console.advance(1_000_000)
    console.end(1_500_000)
    first, second = log.getvalue().splitlines()
    assert first == "m: fetching 2.0 MB"
    assert second.startswith("m: ready, 1.5 MB in ")

    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    console = Console(terminal)
    console.begin("m", 2_000_000)
    console.advance(1_000_000)
    console.end(1_500_000)
    assert "[############............] 1.0 MB of 2.0 MB" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1
