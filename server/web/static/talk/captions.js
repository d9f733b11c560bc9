/* The transcript on the page: a line for each turn of either side, the agent's words lit as they sound. */

import { byId, make } from "../shared/dom.js";
import { heardOf } from "./transcript.js";
import { seconds } from "./waterfall.js";

const NEAR = 48;

export class Captions {
  /** `announce` reads a finished line to screen readers; `select` shows the timing of a turn. */
  constructor(transcript, { announce, select }) {
    this._transcript = transcript;
    this._announce = announce;
    this._select = select;
    this._name = "Agent";
    this._lines = new Map();
    this._told = new Map();
    this._log = byId("captions");
    this._list = byId("captions-list");
    this._empty = byId("captions-empty");
    this._latest = byId("captions-latest");
    this._following = true;
    transcript.addEventListener("change", ({ detail }) => this._show(detail));
    this._log.addEventListener("scroll", () => this._scrolled());
    this._latest.addEventListener("click", () => this._follow());
  }

  /** Begin anew with an agent of this name. */
  begin(name) {
    this._name = name;
    this._transcript.clear();
  }

  _show({ entry, removed }) {
    if (!entry) return this._clear();
    if (removed) this._remove(entry);
    else {
      const line = this._lines.get(entry.id) ?? this._add(entry);
      if (entry.who === "you") showCaller(line, entry);
      else showAgent(line, entry, this._select);
      this._tell(entry);
    }
    this._empty.hidden = this._lines.size > 0;
    if (this._following) this._follow();
    return undefined;
  }

  _clear() {
    this._lines.clear();
    this._told.clear();
    this._list.replaceChildren();
    this._empty.hidden = false;
    this._follow();
  }

  _add(entry) {
    const who = entry.who === "you" ? "You" : this._name;
    const text = make("p", { class: "line__text", dir: "auto" });
    const meta = make("p", { class: "line__meta" }, make("span", { class: "line__who", dir: "auto" }, who));
    const item = make("li", { class: `line line--${entry.who}` }, meta, text);
    const line = { item, text, meta, chip: null };
    this._lines.set(entry.id, line);
    this._list.append(item);
    return line;
  }

  _remove(entry) {
    this._lines.get(entry.id)?.item.remove();
    this._lines.delete(entry.id);
    this._told.delete(entry.id);
  }

  /** Whole lines only, each once: a reader must not stumble over every word. */
  _tell(entry) {
    const done = entry.who === "you" ? entry.final : entry.state !== "speaking";
    if (!done) return;
    const said = heardOf(entry);
    if (!said || this._told.get(entry.id) === said) return;
    this._told.set(entry.id, said);
    const who = entry.who === "you" ? "You" : this._name;
    this._announce(`${who}: ${said}${entry.state === "cut" ? " – and was cut short" : ""}`);
  }

  _scrolled() {
    const left = this._log.scrollHeight - this._log.scrollTop - this._log.clientHeight;
    this._following = left < NEAR;
    this._latest.hidden = this._following;
  }

  _follow() {
    this._following = true;
    this._latest.hidden = true;
    this._log.scrollTop = this._log.scrollHeight;
  }
}

function showCaller({ item, text }, entry) {
  item.classList.toggle("line--partial", !entry.final);
  text.textContent = entry.text;
}

function showAgent(line, entry, select) {
  const { item, text } = line;
  const parts = [];
  entry.pieces.forEach((piece, index) => {
    const heard = piece.text.slice(0, piece.heard);
    const speaking = entry.state === "speaking" && index === entry.at && piece.last >= 0 && piece.heard < piece.text.trimEnd().length;
    if (index) parts.push(" ");
    if (speaking) {
      parts.push(heard.slice(0, piece.last), make("mark", { class: "line__now" }, heard.slice(piece.last)));
    } else parts.push(heard);
    const [, gap, rest] = /^(\s*)(.*)$/s.exec(piece.text.slice(piece.heard));
    if (rest) parts.push(gap, make(entry.state === "cut" ? "del" : "span", { class: "line__rest" }, rest));
  });
  text.replaceChildren(...parts);
  item.classList.toggle("line--cut", entry.state === "cut");
  if (entry.state === "cut" && !item.querySelector(".line__note")) {
    line.meta.append(make("span", { class: "line__note" }, entry.interrupted ? "interrupted" : "cut short"));
  }
  if (entry.latency && !line.chip && Number.isFinite(entry.latency.first_sound)) {
    const time = seconds(entry.latency.first_sound);
    line.chip = make("button", { class: "line__time", type: "button", "aria-label": `Answered after ${time}: show the stages` }, time);
    line.chip.addEventListener("click", () => select(entry.turn));
    line.meta.append(line.chip);
  }
}
