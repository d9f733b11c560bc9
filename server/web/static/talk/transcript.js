/* What was said, from the server's events. Knows nothing of the page.

An entry is {id, who: "you" | "agent", turn, …}. Yours has `text` and `final`; the agent's has `pieces`, texts it has begun
to say, each with `heard`, the number of its characters that have sounded, and `state`: speaking, heard or cut. */

const KEPT = 200;

export class Transcript extends EventTarget {
  constructor() {
    super();
    this.clear();
  }

  clear() {
    this.entries = [];
    this._next = 1;
    this._change(null);
  }

  /** Take a server event; those that are no words are ignored. */
  take(event) {
    switch (event.type) {
      case "transcript":
        return this._caller(event);
      case "discarded":
        return this._discard(event);
      case "saying":
        return this._say(event);
      case "word":
        return this._word(event);
      case "answer":
        return this._answer(event);
      case "latency":
        return this._time(event);
      default:
        return undefined;
    }
  }

  /** The conversation is over: what has not sounded will not. */
  close() {
    this._dropUnheard(null);
    for (const entry of this.entries) {
      if (entry.who === "agent" && entry.state === "speaking") this._settle(entry, true, false);
    }
    const partial = this.entries.filter((entry) => entry.who === "you" && !entry.final);
    for (const entry of partial) this._remove(entry);
  }

  _caller({ turn, text, final }) {
    let entry = this._find("you", turn);
    if (!text?.trim()) return;
    if (!entry) {
      this._dropUnheard(turn);
      entry = this._add({ who: "you", turn, text: "", final: false });
    }
    if (entry.final && !final) return;
    entry.text = text.trim();
    entry.final = Boolean(final);
    this._change(entry);
  }

  _discard({ turn }) {
    const entry = this._find("you", turn);
    if (entry && !entry.final) this._remove(entry);
  }

  _say({ turn, text }) {
    if (!text?.trim()) return;
    let entry = this._find("agent", turn);
    if (!entry || entry.state !== "speaking") {
      entry = this._add({ who: "agent", turn, pieces: [], at: 0, state: "speaking", latency: null });
    }
    entry.pieces.push({ text, heard: 0, last: -1 });
    this._change(entry);
  }

  _word({ turn, text, start, end }) {
    const entry = this._find("agent", turn);
    if (!entry || entry.state !== "speaking") return;
    let piece = entry.pieces[entry.at];
    if (!piece) return;
    // Words of one piece only go forward; several words of one number share their characters.
    const repeated = start === piece.last && end === piece.heard;
    const finished = piece.heard >= piece.text.trimEnd().length;
    if ((start < piece.heard && !repeated) || (repeated && finished && entry.pieces[entry.at + 1])) {
      if (!entry.pieces[entry.at + 1]) return;
      piece.heard = piece.text.length;
      entry.at += 1;
      piece = entry.pieces[entry.at];
    }
    piece.last = start;
    piece.heard = Math.min(piece.text.length, Math.max(piece.heard, end));
    entry.word = text;
    this._change(entry);
  }

  _answer({ turn, text, interrupted }) {
    let entry = this._find("agent", turn);
    if (!entry || (entry.state !== "speaking" && !textOf(entry).includes(text))) {
      entry = this._add({ who: "agent", turn, pieces: [{ text, heard: text.length, last: 0 }], at: 0, state: "speaking", latency: null });
    }
    this._settle(entry, Boolean(interrupted));
  }

  _time({ type: _type, turn, ...times }) {
    const entry = this._find("agent", turn);
    if (!entry) return;
    entry.latency = times;
    this._change(entry);
  }

  _settle(entry, interrupted, byCaller = interrupted) {
    const unheard = entry.pieces.some((piece) => piece.heard < piece.text.trimEnd().length);
    entry.state = interrupted && unheard ? "cut" : "heard";
    entry.interrupted = byCaller;
    if (entry.state === "heard") for (const piece of entry.pieces) piece.heard = piece.text.length;
    this._change(entry);
  }

  /** An answer of which nothing was heard when the caller went on was never given. */
  _dropUnheard(turn) {
    for (const entry of [...this.entries]) {
      const silent = entry.who === "agent" && entry.state === "speaking" && entry.pieces.every((piece) => !piece.heard);
      if (silent && entry.turn !== turn) this._remove(entry);
    }
  }

  _find(who, turn) {
    return this.entries.findLast((entry) => entry.who === who && entry.turn === turn);
  }

  _add(entry) {
    const added = { id: this._next++, ...entry };
    this.entries.push(added);
    while (this.entries.length > KEPT) this._remove(this.entries[0]);
    return added;
  }

  _remove(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    this._change(entry, true);
  }

  _change(entry, removed = false) {
    this.dispatchEvent(new CustomEvent("change", { detail: { entry, removed } }));
  }
}

/** All that an agent's entry was going to say. */
export function textOf(entry) {
  if (entry.who === "you") return entry.text;
  return entry.pieces.map((piece) => piece.text.trim()).join(" ");
}

/** What of it was heard. */
export function heardOf(entry) {
  if (entry.who === "you") return entry.text;
  return entry.pieces
    .map((piece) => piece.text.slice(0, piece.heard).trim())
    .filter(Boolean)
    .join(" ");
}
