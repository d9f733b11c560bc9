/* Voice agents, and how they behave on the telephone. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { chip, empty, facts, head, moment, row } from "./parts.js";

const AT_A_MACHINE = { hang_up: "hangs up", leave_message: "leaves its message", carry_on: "carries on" };

export async function agents() {
  const found = await ask("/api/voice-agent/agents");
  const rows = make("div", { class: "rows" });
  for (const agent of found) {
    rows.append(
      row(
        [make("span", { class: "row__name" }, agent.name, make("span", { class: "quiet small" }, ` ${agent.id}`)), chip(agent.status), moment(agent.createdAt)],
        () => [
          facts([
            ["Greeting", agent.greeting],
            ["System prompt", agent.systemPrompt],
            ["Language", agent.language],
            ["Voice", agent.voiceId ?? agent.ttsModel],
            ["Language model", agent.llmModel],
            ["Avatar", agent.avatarId],
          ]),
          make("h3", {}, "On the telephone"),
          onTelephone(agent.phone),
        ],
      ),
    );
  }
  if (!found.length) rows.append(empty("No agent yet: POST /api/voice-agent/agents makes one, and the talk page makes one of a photo."));
  return [head("Agents"), make("section", { class: "card section" }, rows)];
}

function onTelephone(phone) {
  const machine = phone.detectMachine ? AT_A_MACHINE[phone.onMachine] : "is not told from a person";
  return facts([
    ["A machine answers", phone.detectMachine ? `The agent ${machine}` : `It ${machine}`],
    ["Message it leaves", phone.message],
    ["Says first in calls it makes", phone.disclosure || "nothing but its greeting"],
    ["Recording", phone.recording ? "On" : "Off"],
    ["Says of the recording", phone.recording ? phone.consent : null],
    ["Says to call screening", phone.screening],
    ["Says to who opts out", phone.optOut],
  ]);
}

/** What agents are called, by id; those of the server's settings are not among them. */
export async function agentNames() {
  const found = await ask("/api/voice-agent/agents");
  return new Map(found.map((agent) => [agent.id, agent.name]));
}
