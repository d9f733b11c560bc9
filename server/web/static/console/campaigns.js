/* Campaigns: how far they are, what came of their calls, pausing and ending them. */

import { icon, make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { agentNames } from "./agents.js";
import { listing } from "./listing.js";
import { button, chip, confirmed, facts, head, moment, number, row, slot } from "./parts.js";

const CAMPAIGNS = "/api/voice-agent/campaigns";
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const RETRIED = { busy: "when busy", noAnswer: "when nobody answers", failed: "when it failed", machine: "after a machine" };

const address = (id) => `${CAMPAIGNS}/${encodeURIComponent(id)}`;

export async function campaigns({ signal }) {
  const names = await agentNames();
  const list = listing({
    address: (query) => `${CAMPAIGNS}?${new URLSearchParams({ limit: "50", ...query })}`,
    one: address,
    line: (campaign, changed) => campaignRow(campaign, names, changed),
    alive: (campaign) => !campaign.finishedAt,
    nothing: () => `No campaign yet: POST ${CAMPAIGNS} has an agent call a list of people.`,
    signal,
  });
  await list.start();
  return [head("Campaigns"), make("section", { class: "card section" }, list.box)];
}

function campaignRow(first, names, changed) {
  const agent = names.get(first.agentId) ?? first.agentId;
  const status = slot();
  const progress = make("progress", { class: "progress" });
  const text = make("span", { class: "small number" });
  const name = make("span", {}, make("span", { class: "row__name" }, first.name), make("span", { class: "quiet small call__agent" }, `${agent}, ${hours(first.window)}`));
  let campaign = first;
  let below = null;
  const element = row([name, status.element, make("span", {}, text, progress)], () => {
    below = details(agent, changed);
    below.update(campaign);
    return [below.element];
  });

  function update(next) {
    campaign = next;
    const { over, all } = far(campaign);
    status.show(campaign.status, () => [chip(campaign.status)]);
    progress.max = Math.max(1, all);
    progress.value = over;
    text.textContent = `${number(over)} of ${number(all)} done`;
    progress.setAttribute("aria-label", text.textContent);
    below?.update(campaign);
  }
  update(first);
  return { element, update };
}

/** How many contacts need no call any more, of how many. */
function far({ contacts }) {
  const all = Object.values(contacts).reduce((sum, count) => sum + count, 0);
  return { over: contacts.done + contacts.skipped, all };
}

/** A window as people write it: 09:00–18:00, Mon–Fri. */
function hours({ from, until, days }) {
  const places = days.map((day) => DAYS.indexOf(day));
  const titles = days.map((day) => day[0].toUpperCase() + day.slice(1));
  const inARow = places.every((place, index) => index === 0 || place === places[index - 1] + 1);
  const named = days.length === DAYS.length ? "every day" : inARow && days.length > 2 ? `${titles[0]}–${titles.at(-1)}` : titles.join(", ");
  return `${from}–${until} ${named}`;
}

/** What an opened row shows; only what has changed is made anew. */
function details(agent, changed) {
  const reason = slot();
  const outcomes = slot();
  const known = slot();
  const actions = slot();
  const counted = make("div", { class: "opened__main" }, outcomes.element);
  const element = make("div", { class: "opened" }, reason.element, counted, make("div", { class: "opened__side" }, known.element, actions.element));

  function update(campaign) {
    reason.show(campaign.reason, () => (campaign.reason ? [make("p", { class: "warned" }, icon("alert"), campaign.reason)] : []));
    outcomes.show(campaign.outcomes, () => tally(campaign));
    known.show(campaign, () => [about(campaign, agent)]);
    actions.show([campaign.status], () => [steps(campaign, changed)]);
  }

  return { element, update };
}

/** How often it came to what, the most frequent first. */
function tally(campaign) {
  const { over } = far(campaign);
  const found = Object.entries(campaign.outcomes).sort(([, some], [, others]) => others - some);
  if (!found.length) return [];
  const list = make("dl", { class: "tally" });
  for (const [name, count] of found) {
    const bar = make("progress", { class: "progress", max: over, value: count, "aria-hidden": "true" });
    list.append(make("dt", {}, name.replaceAll("-", " ")), make("dd", {}, bar, make("span", { class: "number" }, number(count))));
  }
  return [make("h3", {}, "What came of it"), list];
}

function about(campaign, agent) {
  const { pending, calling, done, skipped } = campaign.contacts;
  const again = Object.entries(campaign.retries).map(([name, { times, afterMinutes }]) => `${times} × ${RETRIED[name] ?? name}, ${afterMinutes} min later`);
  return facts([
    ["Campaign", campaign.id],
    ["Agent", agent === campaign.agentId ? agent : `${agent} (${campaign.agentId})`],
    ["Contacts", `${number(pending)} to call, ${number(calling)} in a call, ${number(done)} done, ${number(skipped)} skipped`],
    ["Hours", `${hours(campaign.window)}, by the clock of whom it calls`],
    ["Calls at once", `${number(campaign.concurrency)} at most`],
    ["Retries", again.join("; ")],
    ["Started", moment(campaign.createdAt)],
    ["Changed", moment(campaign.updatedAt)],
    ["Ended", campaign.finishedAt && moment(campaign.finishedAt)],
  ]);
}

/** What can be done with a campaign. */
function steps(campaign, changed) {
  const actions = make("div", { class: "row__actions" });
  const step = (text, name, said) =>
    button(text, async () => {
      changed(await ask(`${address(campaign.id)}/${name}`, { method: "POST" }));
      notify(said);
    });
  if (campaign.status === "running") actions.append(step("Pause", "pause", "Nobody more is called for now"));
  if (campaign.status === "paused") actions.append(step("Resume", "resume", "The campaign goes on"));
  if (campaign.status === "running" || campaign.status === "paused") {
    const cancel = async () => {
      if (!(await confirmed("Cancel this campaign?", "Nobody more is called. Calls under way go on to their end.", "Cancel the campaign"))) return;
      changed(await ask(address(campaign.id), { method: "DELETE" }));
      notify("The campaign was cancelled");
    };
    actions.append(button("Cancel", cancel));
  }
  actions.append(make("a", { class: "button", href: `${address(campaign.id)}/results.csv`, download: `${campaign.id}.csv` }, "Download the results"));
  return actions;
}
