"""docs/licences.md lists what is really installed and fetched."""

from __future__ import annotations

from tests.licences import DOCUMENT, dependencies, render


def test_the_list_of_licences_is_up_to_date() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert document == render(document), "run: make licences"


def test_what_must_not_be_installed_is_not() -> None:
    assert not {"piper-tts", "torch", "llama-cpp-python", "llm", "pipecat-ai"} & set(dependencies())
