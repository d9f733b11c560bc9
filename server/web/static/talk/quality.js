/* How good the connection is: four bars and a word, and the figures behind them. */

import { byId, make } from "../shared/dom.js";

const GRADES = ["Very weak", "Weak", "Fair", "Good"];

/** From 1 (very weak) to 4 (good): the worst of round trip (ms) and losses either way (percent). */
export function grade({ roundTrip, lostUp, lostDown }) {
  const lost = Math.max(lostUp ?? 0, lostDown ?? 0);
  const byTrip = roundTrip === null ? 4 : roundTrip < 150 ? 4 : roundTrip < 300 ? 3 : roundTrip < 600 ? 2 : 1;
  const byLoss = lost < 2 ? 4 : lost < 5 ? 3 : lost < 12 ? 2 : 1;
  return Math.min(byTrip, byLoss);
}

export class Quality {
  constructor() {
    this._button = byId("quality");
    this._text = byId("quality-text");
    this._details = byId("quality-details");
    this._figures = byId("quality-figures");
    this._before = { lost: 0, received: 0 };
    this._button.addEventListener("click", () => this._open(this._details.hidden));
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this._details.contains(target) && !this._button.contains(target)) this._open(false);
    });
  }

  /** Put the figures away; whether they were open. */
  close() {
    const open = !this._details.hidden;
    this._open(false);
    return open;
  }

  begin() {
    this._before = { lost: 0, received: 0 };
    this._up = null;
    this._picture = null;
    this._button.hidden = false;
    this._draw(4, "Connected", []);
  }

  end() {
    this._open(false);
    this._button.hidden = true;
  }

  /** The connection is not there at the moment. */
  weak() {
    this._draw(0, "Reconnecting", []);
  }

  /** Take a server event: `quality`, what it hears of us, and `video`, what it sends of the face. */
  take(event) {
    if (event.type === "quality") this._up = event;
    if (event.type === "video") this._picture = event;
  }

  /** Show what the browser counts (see Session.figures) together with what the server told. */
  show(figures) {
    const lost = figures.lost - this._before.lost;
    const received = figures.received - this._before.received;
    this._before = { lost: figures.lost, received: figures.received };
    const trip = figures.roundTrip ?? null;
    const measured = {
      roundTrip: trip === null ? (this._up?.round_trip_ms ?? null) : Math.round(trip * 1000),
      lostUp: this._up?.missing_percent ?? null,
      lostDown: lost + received > 0 ? (100 * Math.max(0, lost)) / (lost + received) : null,
    };
    const bars = grade(measured);
    const picture = this._pictureText(figures);
    this._draw(bars, GRADES[bars - 1], [
      ["Round trip", measured.roundTrip === null ? "–" : `${measured.roundTrip} ms`],
      ["Lost on the way to you", percent(measured.lostDown)],
      ["Lost on the way there", percent(measured.lostUp)],
      ["Jitter", figures.jitter === null ? "–" : `${Math.round(figures.jitter * 1000)} ms`],
      ...(picture ? [["Picture", picture]] : []),
    ]);
  }

  _pictureText({ frames, width, height }) {
    if (this._picture?.level === "off") return "paused: the server is busy";
    if (!width) return "";
    const rate = frames === null ? "" : `, ${Math.round(frames)} a second`;
    const reduced = this._picture && this._picture.level !== "full" ? " (reduced: the server is busy)" : "";
    return `${width} × ${height}${rate}${reduced}`;
  }

  _draw(bars, text, figures) {
    this._button.dataset.bars = String(bars);
    this._text.textContent = text;
    this._button.setAttribute("aria-label", `Connection: ${text}`);
    this._figures.replaceChildren(...figures.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  _open(open) {
    this._details.hidden = !open;
    this._button.setAttribute("aria-expanded", String(open));
  }
}

function percent(value) {
  return value === null ? "–" : `${value.toFixed(1)} %`;
}
