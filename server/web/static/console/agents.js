/* Voice agents, and the calls they had. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { chip, duration, empty, facts, head, moment, pages, row } from "./parts.js";

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
        ],
      ),
    );
  }
  if (!found.length) rows.append(empty("No agent yet: POST /api/voice-agent/agents makes one, and the talk page makes one of a photo."));
  return [head("Agents"), make("section", { class: "card section" }, rows)];
}

export async function calls() {
  const list = pages("/api/voice-agent/calls?limit=50", line, "Nobody has called yet.");
  await list.load();
  return [head("Calls"), make("section", { class: "card section" }, list.box)];
}

function line(call) {
  const who = call.peer || call.channel;
  return row([make("span", { class: "row__name" }, who, make("span", { class: "quiet small" }, ` ${call.agentId}`)), chip(call.status), moment(call.startedAt)], () => [
    facts([
      ["Call", call.id],
      ["Came over", call.channel],
      ["Length", duration(call.durationSeconds)],
      ["Exchanges", String(call.turns)],
      ["Ended", moment(call.endedAt)],
      ["Because", call.endReason],
    ]),
  ]);
}
