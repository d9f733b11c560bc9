/* Calls: who talked with which agent, how it went, what it cost, what was said. */

import { icon, make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { agentNames } from "./agents.js";
import { choices, listing } from "./listing.js";
import { button, chip, confirmed, duration, facts, head, moment, number, row, slot } from "./parts.js";
import { transcript } from "./transcript.js";

const CALLS = "/api/voice-agent/calls";
const LIVE = new Set(["active", "queued", "ringing", "in-progress"]);
const STATES = [
  ["", "All"],
  ["active", "Live"],
  ["completed", "Completed"],
  ["no-answer", "No answer"],
  ["busy", "Busy"],
  ["failed", "Failed"],
  ["canceled", "Canceled"],
];
const DIRECTIONS = [
  ["", "Both ways"],
  ["inbound", "Inbound"],
  ["outbound", "Outbound"],
];
const ANSWERED_BY = { human: "a person", machine: "a machine", unknown: "not known" };

const one = (id) => `${CALLS}?${new URLSearchParams({ id })}`;
const address = (id) => `${CALLS}/${encodeURIComponent(id)}`;

export async function calls({ signal }) {
  const names = await agentNames();
  const only = { status: "", direction: "" };
  const list = listing({
    address: (query) => `${CALLS}?${new URLSearchParams(Object.entries({ limit: "50", ...only, ...query }).filter(([, value]) => value))}`,
    one,
    line: (call, changed) => callRow(call, names, changed),
    alive: (call) => LIVE.has(call.status),
    nothing: () => (only.status || only.direction ? "No such call." : "No calls yet."),
    signal,
  });
  const filter = (name) => (value) => {
    only[name] = value;
    return list.again();
  };
  const filters = make(
    "div",
    { class: "choosing" },
    choices("Show calls that are", STATES, filter("status")),
    choices("Show calls that go", DIRECTIONS, filter("direction")),
  );
  await list.start();
  return [head("Calls"), filters, make("section", { class: "card section" }, list.box)];
}

function callRow(first, names, changed) {
  const status = slot();
  const length = make("span", { class: "quiet small" });
  const agent = names.get(first.agentId) ?? first.agentId;
  const inbound = first.direction === "inbound";
  const who = make(
    "span",
    { class: "call__who" },
    icon(first.direction),
    make(
      "span",
      {},
      make("span", { class: "unseen" }, inbound ? "Incoming call, " : "Outgoing call, "),
      make("span", { class: "row__name number" }, first.peer || `A ${first.channel}`),
      make("span", { class: "quiet small call__agent" }, make("span", { class: "unseen" }, inbound ? "answered by " : "made by "), agent),
    ),
  );
  let call = first;
  let below = null;
  const element = row([who, status.element, make("span", { class: "call__when" }, moment(first.startedAt), " ", length)], () => {
    below = details(agent, changed);
    below.update(call);
    return [below.element];
  });

  function update(next) {
    call = next;
    status.show(call.status, () => [chip(call.status)]);
    length.textContent = lasted(call);
    below?.update(call);
  }
  update(first);
  return { element, update };
}

/** How long a call was, or has been until now. */
function lasted(call) {
  if (!LIVE.has(call.status)) return call.durationSeconds ? duration(call.durationSeconds) : "";
  if (!call.answeredAt) return "";
  return duration(Math.max(0, (Date.now() - Date.parse(call.answeredAt)) / 1000));
}

/** What an opened row shows; only what has changed is made anew. */
function details(agent, changed) {
  const wrong = slot();
  const player = slot();
  const known = slot();
  const actions = slot();
  const said = transcript(agent, one);
  const spoken = make("div", { class: "opened__main" }, player.element, said.element);
  const beside = make("div", { class: "opened__side" }, known.element, actions.element);
  const element = make("div", { class: "opened" }, wrong.element, spoken, beside);

  function update(call) {
    const live = LIVE.has(call.status);
    wrong.show(call.error, () => (call.error ? [make("p", { class: "wrong" }, icon("alert"), call.error)] : []));
    player.show(Boolean(call.recordingUrl), () => (call.recordingUrl ? [recording(call)] : []));
    known.show([call.status, call.turns, call.cost, call.answeredBy, call.outcome, call.endReason, call.durationSeconds, call.answeredAt], () => [about(call, agent)]);
    actions.show([live, Boolean(call.recordingUrl)], () => steps(call, live, changed));
    said.update(call);
  }

  return { element, update };
}

function recording(call) {
  return make("audio", { src: call.recordingUrl, controls: true, preload: "metadata", "aria-label": "The recording: the other side left, the agent right" });
}

function about(call, agent) {
  return facts([
    ["Call", call.id],
    ["Agent", agent === call.agentId ? agent : `${agent} (${call.agentId})`],
    ["Direction", `${call.direction} (${call.channel})`],
    ["Started", moment(call.startedAt)],
    ["Answered", call.answeredAt && moment(call.answeredAt)],
    ["Answered by", call.answeredBy && (ANSWERED_BY[call.answeredBy] ?? call.answeredBy)],
    ["Ended", call.endedAt && moment(call.endedAt)],
    ["Because", call.endReason === call.status ? null : call.endReason],
    ["Outcome", call.outcome],
    ["Length", call.durationSeconds === null ? null : duration(call.durationSeconds)],
    ["Exchanges", number(call.turns)],
    ["Cost", call.cost === 1 ? "1 credit" : `${number(call.cost)} credits`],
  ]);
}

/** What can be done with a call. */
function steps(call, live, changed) {
  const buttons = [];
  const again = async () => changed(await ask(one(call.id)));
  if (live && call.channel === "phone") {
    const end = async () => {
      if (!(await confirmed("Hang up?", `The call with ${call.peer} ends at once.`, "Hang up", "Let it go on"))) return;
      const { status } = await ask(address(call.id), { method: "DELETE" });
      notify(LIVE.has(status) ? "The call is being hung up" : "The call has ended");
      await again();
    };
    buttons.push(button("Hang up", end, "button--end"));
  }
  if (call.recordingUrl) {
    const forget = async () => {
      if (!(await confirmed("Delete the recording?", "What was said stays in the transcript.", "Delete the recording"))) return;
      await ask(`${address(call.id)}/recording`, { method: "DELETE" });
      notify("The recording is deleted");
      await again();
    };
    buttons.push(make("a", { class: "button", href: call.recordingUrl, download: `${call.id}.wav` }, "Download the recording"));
    buttons.push(button("Delete the recording", forget));
  }
  return buttons.length ? [make("div", { class: "row__actions" }, ...buttons)] : [];
}
