/* What was said in a call, both sides of it, as the call goes on. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { chip, problem } from "./parts.js";

/** The transcript's element, and `update(call)`, which asks for it anew where there is more. `one(id)`: its address. */
export function transcript(agent, one) {
  const list = make("ol", { class: "said" });
  const element = make("div", { class: "slot", hidden: true }, make("h3", {}, "Transcript"), list);
  let shown = null;

  async function update(call) {
    const now = `${call.turns} ${call.status}`;
    if (now === shown || !call.turns) return;
    shown = now;
    element.hidden = false;
    try {
      const found = await ask(one(call.id));
      if (shown === now) list.replaceChildren(...found.transcript.flatMap((turn) => exchange(turn, found, agent)));
    } catch (error) {
      if (shown !== now) return;
      shown = null;
      list.replaceChildren(make("li", {}, problem(error)));
    }
  }

  return { element, update };
}

/** Both sides of an exchange; who was silent is left out. */
function exchange(turn, call, agent) {
  const at = since(call.answeredAt ?? call.startedAt, turn.at);
  const lines = [];
  if (turn.caller) lines.push(line("them", call.peer || "Caller", at, [turn.caller]));
  if (turn.heard || turn.agent) lines.push(line("agent", agent, turn.caller ? "" : at, spoken(turn), turn.interrupted));
  return lines;
}

function line(side, who, at, words, interrupted = false) {
  const above = make("p", { class: "said__who" }, make("strong", {}, who), at ? make("span", { class: "number" }, at) : null, interrupted ? chip("interrupted") : null);
  return make("li", { class: `said__line said__line--${side}` }, above, make("p", { class: "said__words", dir: "auto" }, ...words));
}

/** What was heard of an answer, and crossed out what was to come. */
function spoken({ agent, heard, interrupted }) {
  if (!interrupted) return [heard || agent];
  const rest = agent.startsWith(heard) ? agent.slice(heard.length) : "";
  return rest.trim() ? [heard, " ", make("s", { class: "said__rest", title: "was not heard" }, rest.trim())] : [heard];
}

/** Minutes and seconds from the beginning. */
function since(began, at) {
  const seconds = Math.max(0, Math.round((Date.parse(at) - Date.parse(began)) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
