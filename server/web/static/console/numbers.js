/* Telephone numbers: which agent answers which, and who is not called. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { agentNames } from "./agents.js";
import { adding, button, confirmed, moment, pages, section } from "./parts.js";

const NUMBERS = "/api/voice-agent/numbers";
const LISTED = "/api/voice-agent/do-not-call";

/** The numbers that reach agents. */
export async function numbers() {
  const names = await agentNames();
  const list = pages(NUMBERS, line, "No number is mapped: calls to any number of this server reach its default agent.");
  const known = make("datalist", { id: "known-agents" }, ...[...names].map(([id, name]) => make("option", { value: id }, name)));
  const form = adding(
    [
      ["Number", numberInput("own-number")],
      ["Agent that answers it", make("input", { class: "input", id: "own-agent", name: "agentId", list: "known-agents", maxlength: "64", autocomplete: "off", spellcheck: "false", placeholder: "agent_…" })],
    ],
    "Add",
    async (number, agentId) => {
      await ask(NUMBERS, { method: "POST", json: { number, agentId } });
      await list.load();
      notify(`${number} is answered by ${names.get(agentId) ?? agentId}`);
    },
  );

  function line(mapped) {
    const remove = removal(mapped.number, "Remove this number?", "Nobody answers calls to it from now on.", `${NUMBERS}/`, list);
    return entry(mapped.number, names.get(mapped.agentId) ?? mapped.agentId, mapped.createdAt ? remove : "in the server’s settings");
  }

  await list.load();
  return section("Telephone numbers", make("p", { class: "quiet" }, "Which agent answers calls to which number."), list.box, form, known);
}

/** Whom no agent calls. */
export async function doNotCall() {
  const list = pages(`${LISTED}?limit=100`, line, "Nobody is on the list.", "number");
  const form = adding([["Number", numberInput("listed-number")]], "Add", async (number) => {
    await ask(LISTED, { method: "POST", json: { number } });
    await list.load();
    notify(`${number} is not called from now on`);
  });

  function line(listed) {
    const own = listed.source === "owner";
    const remove = removal(listed.number, "Take this number off the list?", "Your agents may call it again.", `${LISTED}/`, list);
    return entry(listed.number, moment(listed.createdAt), own ? remove : "asked not to be called");
  }

  await list.load();
  return section("Do not call", make("p", { class: "quiet" }, "Numbers that your agents never call. Who has asked for it on the telephone stays on the list."), list.box, form);
}

function numberInput(id) {
  return make("input", { class: "input", id, name: "number", type: "tel", maxlength: "40", autocomplete: "off", placeholder: "+14155550123" });
}

function entry(number, what, how) {
  const last = typeof how === "string" ? make("span", { class: "quiet small" }, how) : how;
  return make("div", { class: "row entry" }, make("span", { class: "row__name number" }, number), make("span", { class: "small" }, what), last);
}

function removal(number, title, text, path, list) {
  const remove = button("Remove", async () => {
    if (!(await confirmed(title, `${number}: ${text}`, "Remove"))) return;
    await ask(path + encodeURIComponent(number), { method: "DELETE" });
    await list.load();
    notify(`${number} was removed`);
  });
  remove.setAttribute("aria-label", `Remove ${number}`);
  return remove;
}
