/* Jobs: how far they are, what they made, what went wrong. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { button, chip, confirmed, empty, facts, head, moment, number, row } from "./parts.js";

const STATES = ["all", "queued", "running", "completed", "failed", "cancelled"];
const ALIVE = new Set(["queued", "running"]);
const EVERY = 2000;

export async function jobs({ signal }) {
  const rows = make("div", { class: "rows" });
  const more = button("Show more", () => older());
  const filters = make("div", { class: "filters", role: "group", "aria-label": "Show jobs that are" });
  const shown = new Map();
  let state = "all";
  let oldest = null;

  const address = (query) => `/api/jobs?${new URLSearchParams({ limit: "50", ...(state === "all" ? {} : { status: state }), ...query })}`;

  async function newest() {
    const answer = await ask(address({}), { whole: true, signal });
    if (!shown.size) {
      oldest = answer.data.at(-1)?.id ?? null;
      more.hidden = !answer.hasMore;
    }
    place(answer.data, "prepend");
  }

  async function older() {
    const answer = await ask(address({ startingAfter: oldest }), { whole: true, signal });
    oldest = answer.data.at(-1)?.id ?? oldest;
    more.hidden = !answer.hasMore;
    place(answer.data, "append");
  }

  /** Rows that are there already change in place, so that a video being played goes on. */
  function place(found, where) {
    rows.querySelector(".empty")?.remove();
    const fresh = [];
    for (const job of found) {
      const known = shown.get(job.id);
      if (known) known.update(job);
      else {
        const line = jobRow(job);
        shown.set(job.id, line);
        fresh.push(line.element);
      }
    }
    rows[where](...fresh);
    if (!shown.size) rows.append(empty(state === "all" ? "No job has been ordered yet." : `No job is ${state}.`));
  }

  async function again() {
    shown.clear();
    rows.replaceChildren();
    await newest();
  }

  for (const name of STATES) {
    const choice = button(name[0].toUpperCase() + name.slice(1), async () => {
      state = name;
      for (const other of filters.children) other.setAttribute("aria-pressed", String(other === choice));
      await again();
    });
    choice.setAttribute("aria-pressed", String(name === state));
    filters.append(choice);
  }

  await newest();
  watch(signal, newest);
  return [head("Jobs"), filters, make("section", { class: "card section" }, rows, make("div", { class: "row__actions" }, more))];
}

/** Look again every two seconds while the page is seen. */
function watch(signal, look) {
  const timer = setInterval(() => {
    if (!document.hidden) look().catch(() => {});
  }, EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function jobRow(first) {
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
    if (moved) detail.replaceChildren(...details(job, update));
  }
  update(job);
  return { element, update };
}

function details(job, update) {
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
        update(await ask(`/api/jobs/${encodeURIComponent(job.id)}`, { method: "DELETE" }));
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
