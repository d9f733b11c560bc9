"""Agents as YAML defines them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.conversation.policy import TurnPolicy
from agents.definition import AgentDefinition, AgentError, load_agent, load_agents
from agents.pieces import Transfer
from agents.tools.toolbox import Toolbox
from media.avatar.assets import DEMO_PORTRAIT

DEMO = Path(__file__).parents[2] / "configs" / "agents"
LEAST = "name: Ada\nsystem_prompt: Be brief.\n"


def write(folder: Path, text: str, name: str = "ada.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(AgentError) as caught:
        load_agent(write(folder, text), environ)
    return str(caught.value)


def test_a_name_and_a_prompt_are_enough(tmp_path: Path) -> None:
    agent = load_agent(write(tmp_path, LEAST))
    assert (agent.name, agent.language, agent.voice.speed, agent.tools) == ("Ada", "en", 1.0, [])
    assert agent.phrases.apology


def test_agents_are_known_by_the_names_of_their_files(tmp_path: Path) -> None:
    write(tmp_path, LEAST, "ada.yaml")
    write(tmp_path, LEAST.replace("Ada", "Bo"), "bo-2.yml")
    assert {key: agent.name for key, agent in load_agents(tmp_path).items()} == {"ada": "Ada", "bo-2": "Bo"}
    write(tmp_path, LEAST, "No Good.yaml")
    with pytest.raises(AgentError, match="file name"):
        load_agents(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: Ada\n", ["system_prompt: is missing"]),
        (LEAST + "voice: {pace: 2}\n", ["voice.pace", "name, speed"]),
        (LEAST + "greting: Hi\n", ["greting", "greeting"]),
        (LEAST + "voice: {speed: 9}\n", ["voice.speed", "less than or equal to 2"]),
        (LEAST + "time_zone: Rome\n", ["time_zone", "Europe/Rome"]),
        (LEAST + "language: English\n", ["language"]),
        (LEAST + "tools: [make_coffee]\n", ["tools.0", "'end_call'"]),
        (LEAST + "tools: [end_call, end_call]\n", ["end_call is there twice"]),
        (LEAST + "tools: [{transfer: {bob: soon}}]\n", ["tools.0.transfer.bob"]),
        (LEAST + "tools: [{transfer: {bob: '+39051123456'}, warm: [eve]}]\n", ["tools.0", "warm: eve", "transfer"]),
        (LEAST + "tools: [{name: a, description: b, url: 'file:///etc/passwd'}]\n", ["tools.0.url", "http"]),
        (LEAST + "tools: [{name: a, description: b, url: 'http://x/{id}'}]\n", ["id", "parameters.required"]),
        (
            LEAST + "tools: [{name: a, description: b, url: 'http://x', parameters: {type: 3}}]\n",
            ["tools.0.parameters"],
        ),
        (LEAST + "tools: [{name: transfer, description: b, url: 'http://x'}]\n", ["built-in"]),
        (LEAST + "knowledge: {questions: [{answer: Yes}]}\n", ["knowledge.questions.0.questions: is missing"]),
        ("name: [\n", ["is not YAML"]),
        ("- a\n", ["must hold fields"]),
    ],
)
def test_a_mistake_is_named_with_file_field_and_fix(tmp_path: Path, text: str, words: list[str]) -> None:
    said = complaint(tmp_path, text)
    assert str(tmp_path / "ada.yaml") in said
    assert all(word in said for word in words), said


HTTP = """
tools:
  - name: find
    description: Finds.
    url: http://localhost/{id}
    headers: {Authorization: "Bearer ${FIND_KEY}"}
    parameters: {type: object, properties: {id: {type: string}}, required: [id]}
llm: {api_key: "${LLM_KEY}"}
"""


def test_secrets_come_from_the_environment_and_do_not_show(tmp_path: Path) -> None:
    agent = load_agent(write(tmp_path, LEAST + HTTP), {"FIND_KEY": "s3cret", "LLM_KEY": "k3y"})
    assert agent.llm.api_key is not None
    assert agent.llm.api_key.get_secret_value() == "k3y"
    assert "s3cret" not in repr(agent)
    assert "k3y" not in repr(agent)


def test_a_secret_that_is_not_set_is_named(tmp_path: Path) -> None:
    assert "FIND_KEY is not set" in complaint(tmp_path, LEAST + HTTP, LLM_KEY="k")


async def test_tools_are_built_as_declared(tmp_path: Path) -> None:
    text = LEAST + HTTP.replace(
        "tools:",
        "tools: \n  - end_call\n  - current_time\n  - wait\n  - do_not_call\n"
        "  - {transfer: {bob: '+39051123456', eve: 'sip:eve@example.com'}, warm: [eve]}",
    )
    agent = load_agent(write(tmp_path, text), {"FIND_KEY": "s", "LLM_KEY": "k"})
    tools = Toolbox(agent)
    assert [spec.name for spec in tools.specs] == [
        "end_call",
        "current_time",
        "wait",
        "do_not_call",
        "transfer",
        "find",
    ]
    assert (await tools["transfer"].run({"to": "eve"})).action == Transfer("sip:eve@example.com", "eve", warm=True)
    assert [name for name, tool in tools.items() if tool.safe] == ["current_time"]
    await tools.close()


def test_knowledge_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "b.md").write_text("b")
    (tmp_path / "notes" / "a.txt").write_text("a")
    (tmp_path / "notes" / "c.pdf").write_text("c")
    agent = load_agent(write(tmp_path, LEAST + "knowledge: {paths: [notes]}\n"))
    assert [file.name for file in agent.knowledge_files()] == ["a.txt", "b.md"]
    agent = load_agent(write(tmp_path, LEAST + "knowledge: {paths: [notes/none.txt]}\n"))
    with pytest.raises(AgentError, match=r"none\.txt"):
        agent.knowledge_files()


def test_a_portrait_is_a_packaged_one_or_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ada.jpg").write_bytes(b"a picture")
    (tmp_path / "a.yaml").write_text(LEAST + "avatar: ada.jpg\n")
    (tmp_path / "b.yaml").write_text(LEAST + "avatar: mira\n")
    (tmp_path / "c.yaml").write_text(LEAST)
    agents = load_agents(tmp_path)
    assert agents["a"].portrait() == (tmp_path / "ada.jpg").resolve()
    assert agents["b"].portrait() == DEMO_PORTRAIT
    assert agents["c"].portrait() is None


def test_a_portrait_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LEAST + "avatar: gone.jpg\n")
    with pytest.raises(AgentError, match=r"agent Ada: avatar: there is no file .*gone\.jpg.*mira"):
        load_agents(tmp_path)["a"].portrait()


def test_the_demo_agent_is_valid() -> None:
    demo = load_agents(DEMO)["demo"]
    assert isinstance(demo, AgentDefinition)
    assert demo.greeting
    assert len(demo.knowledge.questions) >= 15
    TurnPolicy.from_options(demo.turn_taking)
