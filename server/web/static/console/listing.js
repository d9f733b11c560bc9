/* A list that moves while one watches: the newest first, older ones on request, rows that change in place. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { button, empty } from "./parts.js";

const EVERY = 2000;
const MOST_ASKED = 5;

/**
 * The list's element, and `again`, which asks for it anew. `address(query)`: of a page of it; `one(id)`: of one thing;
 * `line(thing, update)`: its row, {element, update}; `alive(thing)`: whether it may still change; `nothing()`: why the
 * list is empty. It is looked at until `signal`.
 */
export function listing({ address, one, line, alive, nothing, signal }) {
  const rows = make("div", { class: "rows" });
  const more = button("Show more", () => older());
  const box = make("div", {}, rows, make("div", { class: "row__actions" }, more));
  const shown = new Map();
  let generation = 0;
  let oldest = null;
  more.hidden = true;

  async function newest() {
    const asked = generation;
    const answer = await ask(address({}), { whole: true, signal });
    if (asked !== generation) return;
    // after a long absence there may be some between what is shown and what is new
    if (answer.hasMore && !answer.data.some((thing) => shown.has(thing.id))) clear();
    if (!shown.size) oldest = answer.data.at(-1)?.id ?? null;
    if (!shown.size) more.hidden = !answer.hasMore;
    put(answer.data, "prepend");
    await others(new Set(answer.data.map((thing) => thing.id)), asked);
  }

  async function older() {
    const asked = generation;
    const answer = await ask(address({ startingAfter: oldest }), { whole: true, signal });
    if (asked !== generation) return;
    oldest = answer.data.at(-1)?.id ?? oldest;
    more.hidden = !answer.hasMore;
    put(answer.data, "append");
  }

  /** Those further down, or no longer of the state that was asked for, move too. */
  async function others(seen, asked) {
    const left = [...shown.values()].filter(({ thing }) => alive(thing) && !seen.has(thing.id)).slice(0, MOST_ASKED);
    const found = await Promise.all(left.map(({ thing }) => ask(one(thing.id), { signal }).catch(() => null)));
    if (asked === generation) put(found.filter(Boolean), "append");
  }

  function put(found, where) {
    rows.querySelector(":scope > .empty")?.remove();
    const fresh = [];
    for (const thing of found) {
      const known = shown.get(thing.id);
      if (known) update(thing);
      else {
        const made = line(thing, update);
        shown.set(thing.id, { thing, made });
        fresh.push(made.element);
      }
    }
    rows[where](...fresh);
    if (!shown.size) rows.append(empty(nothing()));
  }

  function update(thing) {
    const known = shown.get(thing.id);
    if (!known) return;
    known.thing = thing;
    known.made.update(thing);
  }

  function clear() {
    generation += 1;
    shown.clear();
    rows.replaceChildren();
  }

  async function again() {
    clear();
    await newest();
  }

  function watch() {
    let looking = false;
    const timer = setInterval(async () => {
      if (document.hidden || looking) return;
      looking = true;
      await newest().catch(() => {});
      looking = false;
    }, EVERY);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  return {
    box,
    again,
    async start() {
      await newest();
      watch();
    },
  };
}

/** Buttons of which one is pressed: pairs of a value and what it is called; `chosen` hears which one. */
export function choices(label, pairs, chosen) {
  const group = make("div", { class: "filters", role: "group", "aria-label": label });
  for (const [index, [value, text]] of pairs.entries()) {
    const choice = button(text, async () => {
      for (const other of group.children) other.setAttribute("aria-pressed", String(other === choice));
      await chosen(value);
    });
    choice.setAttribute("aria-pressed", String(index === 0));
    group.append(choice);
  }
  return group;
}
