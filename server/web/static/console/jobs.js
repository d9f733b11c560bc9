/* Jobs: how far they are, what they made, what went wrong. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { choices, listing } from "./listing.js";
import { button, chip, confirmed, facts, head, moment, number, row } from "./parts.js";

const STATES = ["queued", "running", "completed", "failed", "cancelled"];
const ALIVE = new Set(["queued", "running"]);

export async function jobs({ signal }) {
  let state = "all";
  const list = listing({
    address: (query) => `/api/jobs?${new URLSearchParams({ limit: "50", ...(state === "all" ? {} : { status: state }), ...query })}`,
    one: (id) => `/api/jobs/${encodeURIComponent(id)}`,
    line: jobRow,
    alive: (job) => ALIVE.has(job.status),
    nothing: () => (state === "all" ? "No job has been ordered yet." : `No job is ${state}.`),
    signal,
  });
  const filters = choices("Show jobs that are", [["all", "All"], ...STATES.map((name) => [name, name[0].toUpperCase() + name.slice(1)])], (value) => {
    state = value;
    return list.again();
  });
  await list.start();
  return [head("Jobs"), filters, make("section", { class: "card section" }, list.box)];
}

function jobRow(first, changed) {
  let job = first;
  const status = make("span", {});
  const progress = make("progress", { class: "progress", max: "1" });
  const detail = make("div", {});
  const cells = [
    make("span", { class: "row__name" }, job.type.replaceAll("_", " "), make("span", { class: "quiet small" }, ` ${job.id}`)),
    status,
    moment(job.createdAt),
  ];
  const element = row(cells, () => [detail]);

  function update(next) {
    const moved = next.status !== job.status || !detail.childElementCount;
    job = next;
    const running = job.status === "running";
    progress.value = job.progress;
    progress.setAttribute("aria-label", `${Math.round(job.progress * 100)} per cent, ${job.phase}`);
    status.replaceChildren(chip(job.status), ...(running ? [make("span", { class: "quiet small" }, ` ${job.phase}`), progress] : []));
    if (moved) detail.replaceChildren(...details(job, changed));
  }
  update(job);
  return { element, update };
}

function details(job, changed) {
  const parts = [];
  const player = preview(job);
  if (player) parts.push(player);
  parts.push(
    facts([
      ["Credits", number(job.credits)],
      ["Started", moment(job.startedAt)],
      ["Ended", moment(job.completedAt ?? job.failedAt)],
      ["Error", job.error],
      ...Object.entries(job.metadata).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]),
    ]),
  );
  const actions = make("div", { class: "row__actions" });
  if (job.outputUrl) actions.append(make("a", { class: "button", href: job.outputUrl, download: true }, "Download"));
  if (ALIVE.has(job.status)) {
    actions.append(
      button("Cancel", async () => {
        if (!(await confirmed("Cancel this job?", "Its credits are given back.", "Cancel the job"))) return;
        changed(await ask(`/api/jobs/${encodeURIComponent(job.id)}`, { method: "DELETE" }));
        notify("The job was cancelled");
      }),
    );
  }
  if (actions.childElementCount) parts.push(actions);
  return [make("div", { class: "row__more" }, ...parts)];
}

/** What a job made, to be played in place. */
function preview(job) {
  const kind = job.outputType ?? "";
  if (!job.outputUrl) return null;
  const common = { src: job.outputUrl, controls: true, preload: "metadata" };
  if (kind.startsWith("video/")) return make("video", { ...common, playsinline: true, "aria-label": "The video" });
  if (kind.startsWith("audio/")) return make("audio", { ...common, "aria-label": "The recording" });
  if (kind.startsWith("image/")) return make("img", { src: job.outputUrl, alt: "The picture" });
  return null;
}
