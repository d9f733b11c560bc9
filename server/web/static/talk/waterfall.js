/* How the time between your last word and the agent's first sound was spent, turn by turn. */

import { byId, make } from "../shared/dom.js";

const KEPT = 24;
const EARLIEST = -600;

/** Stages in the order in which they end. `from`: the mark at which it began, 0 the end of the caller's speech. */
export const STAGES = Object.freeze([
  { name: "Words understood", from: null, to: "transcript" },
  { name: "End of turn", from: null, to: "confirmed" },
  { name: "Answer found", from: "answer_begun", to: "first_clause" },
  { name: "Voice made", from: "first_clause", to: "first_audio" },
  { name: "First sound", from: null, to: "first_sound", total: true },
]);

/** Milliseconds as seconds with two places; ahead of time reads as such. */
export function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Where the bars of one turn stand, in percent of its scale: [{name, value, start, width, early, total}], and its zero. */
export function layOut(times, longest) {
  const marks = Object.values(times).filter(Number.isFinite);
  const low = Math.max(EARLIEST, Math.min(0, ...marks));
  const high = Math.max(longest, ...marks, 100);
  const place = (value) => (100 * (Math.min(Math.max(value, low), high) - low)) / (high - low);
  const rows = [];
  for (const { name, from, to, total = false } of STAGES) {
    const end = times[to];
    if (!Number.isFinite(end)) continue;
    const begin = from === null ? Math.min(0, end) : (times[from] ?? 0);
    const start = place(Math.min(begin, end));
    rows.push({ name, value: end, spent: Math.max(0, end - begin), start, width: place(end) - start, early: end <= 0, total });
  }
  return { rows, zero: place(0) };
}

export class Waterfall {
  constructor() {
    this._section = byId("timing");
    this._list = byId("waterfall");
    this._turns = byId("turns");
    this._total = byId("timing-total");
    this._records = [];
    this._chosen = null;
  }

  clear() {
    this._records = [];
    this._chosen = null;
    this._draw();
  }

  /** Take a server event; only `latency` counts. */
  take({ type, turn, ...times }) {
    if (type !== "latency" || !Number.isFinite(times.first_sound)) return;
    const following = this._chosen === null || this._chosen === this._records.at(-1)?.turn;
    this._records = [...this._records.filter((record) => record.turn !== turn), { turn, times }].slice(-KEPT);
    if (following || !this._records.some((record) => record.turn === this._chosen)) this._chosen = turn;
    this._draw();
  }

  /** Show the stages of one turn. */
  select(turn) {
    if (!this._records.some((record) => record.turn === turn)) return;
    this._chosen = turn;
    this._draw();
    this._section.scrollIntoView({ block: "nearest" });
  }

  /** The median of the response times in milliseconds, null before the first; and how many there were. */
  summary() {
    const sorted = this._records.map((record) => record.times.first_sound).sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    return { count: sorted.length, median: sorted.length ? median : null };
  }

  _draw() {
    const record = this._records.find(({ turn }) => turn === this._chosen);
    this._total.textContent = record ? seconds(record.times.first_sound) : "";
    this._list.replaceChildren(...(record ? this._rows(record) : emptyRows()));
    this._turns.replaceChildren(...this._bars());
  }

  _rows(record) {
    const { rows, zero } = layOut(record.times, 800);
    return rows.map((row) => {
      const bar = make("span", { class: "waterfall__bar" });
      bar.style.insetInlineStart = `${row.start}%`;
      bar.style.inlineSize = `${row.width}%`;
      const origin = zero > 0 ? make("span", { class: "waterfall__zero" }) : null;
      if (origin) origin.style.insetInlineStart = `${zero}%`;
      return make(
        "li",
        { class: `waterfall__row${row.total ? " waterfall__row--total" : ""}` },
        make("span", { class: "waterfall__name" }, row.name),
        make("span", { class: "waterfall__track", "aria-hidden": "true" }, bar, origin),
        make("span", { class: "waterfall__value" }, row.early ? "already" : seconds(row.value)),
      );
    });
  }

  _bars() {
    if (this._records.length < 2) return [];
    const longest = Math.max(...this._records.map((record) => record.times.first_sound), 1);
    return this._records.map(({ turn, times }, index) => {
      const bar = make("span", { class: "turns__bar", "aria-hidden": "true" });
      bar.style.blockSize = `${Math.max(8, (100 * times.first_sound) / longest)}%`;
      const label = `Turn ${index + 1}: ${seconds(times.first_sound)}`;
      const pressed = turn === this._chosen ? "true" : "false";
      const button = make("button", { class: "turns__turn", type: "button", "aria-label": label, title: label, "aria-pressed": pressed }, bar);
      button.addEventListener("click", () => {
        this.select(turn);
        this._turns.children[index]?.focus();
      });
      return button;
    });
  }
}

function emptyRows() {
  return STAGES.map(({ name, total }) =>
    make(
      "li",
      { class: `waterfall__row${total ? " waterfall__row--total" : ""}` },
      make("span", { class: "waterfall__name" }, name),
      make("span", { class: "waterfall__track", "aria-hidden": "true" }),
      make("span", { class: "waterfall__value" }),
    ),
  );
}
