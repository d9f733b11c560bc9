/* What every view is made of. */

import { ask } from "../shared/http.js";
import { byId, icon, make } from "../shared/dom.js";
import { notify } from "../shared/notices.js";

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const NUMBER = new Intl.NumberFormat();
const GOOD = new Set(["completed", "delivered", "ready", "valid"]);
const LIVE = new Set(["active", "in-progress"]);
const BAD = new Set(["failed", "revoked", "dropped"]);
const BUSY = new Set(["queued", "running", "ringing", "pending", "processing"]);

/** A moment of the API, as people of this place write it; a dash where there is none. */
export function moment(text) {
  if (!text) return "–";
  return make("time", { datetime: text, title: text }, MOMENT.format(new Date(text)));
}

/** A number with its thousands told apart. */
export function number(value) {
  return NUMBER.format(value);
}

/** Seconds as a person says them. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** A state as a small label; its colour says how it goes, its word says what it is. */
export function chip(status) {
  const kind = GOOD.has(status) ? "good" : LIVE.has(status) ? "live" : BAD.has(status) ? "bad" : BUSY.has(status) ? "busy" : "plain";
  return make("span", { class: `chip chip--${kind}` }, status.replaceAll("-", " "));
}

/** The head of a view: its title, and what may be done. */
export function head(title, ...actions) {
  return make("div", { class: "view__head" }, make("h1", {}, title), ...actions);
}

/** A card with a title. */
export function section(title, ...children) {
  return make("section", { class: "card section" }, make("div", { class: "section__head" }, make("h2", {}, title)), ...children);
}

/** Nothing is there yet, and why. */
export function empty(text) {
  return make("p", { class: "empty" }, text);
}

/** A list of facts: pairs of a name and a value; those without a value are left out. */
export function facts(pairs) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value !== null && value !== undefined && value !== "") list.append(make("dt", {}, name), make("dd", {}, value));
  }
  return list;
}

/** A button. */
export function button(text, act, kind = "") {
  const element = make("button", { class: `button ${kind}`.trim(), type: "button" }, text);
  element.addEventListener("click", () => busy(element, act));
  return element;
}

/** Let a button do its work once at a time, and say what went wrong. */
export async function busy(element, act) {
  if (element.disabled) return;
  element.disabled = true;
  try {
    await act();
  } catch (error) {
    notify(error.message);
  } finally {
    element.disabled = false;
  }
}

/** What went wrong, in place of a view. */
export function problem(error) {
  return make("p", { class: "wrong", role: "alert" }, icon("alert"), error.message);
}

/** A text with a button that copies it. */
export function secret(text, label) {
  const copy = button("Copy", async () => {
    await navigator.clipboard.writeText(text);
    notify("Copied");
  });
  copy.setAttribute("aria-label", `Copy the ${label}`);
  return make("div", { class: "secret" }, make("code", {}, text), copy);
}

/** A row that opens: cells above, and what `open` gives below, made when it is first seen. */
export function row(cells, open, { opened = false } = {}) {
  const below = make("div", { class: "row__more" });
  const turn = make("span", { class: "row__turn", "aria-hidden": "true" }, icon("more"));
  const element = make("details", { class: "row" }, make("summary", {}, ...cells, turn), below);
  element.addEventListener("toggle", () => {
    if (element.open && !below.childElementCount) below.append(...open());
  });
  element.open = opened;
  return element;
}

/** Show a dialog with these children; returns a function that closes it. */
export function dialog(title, ...children) {
  const box = byId("dialog");
  byId("dialog-title").textContent = title;
  byId("dialog-body").replaceChildren(...children);
  if (!box.open) box.showModal();
  return () => box.close();
}

/** Ask before something that cannot be taken back. */
export function confirmed(title, text, action, otherwise = "Keep it") {
  return new Promise((resolve) => {
    const box = byId("dialog");
    const yes = make("button", { class: "button button--end", type: "button" }, action);
    const no = make("button", { class: "button", type: "button" }, otherwise);
    let answer = false;
    yes.addEventListener("click", () => {
      answer = true;
      box.close();
    });
    no.addEventListener("click", () => box.close());
    box.addEventListener("close", () => resolve(answer), { once: true });
    dialog(title, make("p", {}, text), make("div", { class: "dialog__foot" }, no, yes));
    no.focus();
  });
}

/** A place whose content is made anew only where what it shows has changed: a player goes on, and focus stays. */
export function slot() {
  const element = make("div", { class: "slot", hidden: true });
  let shown = null;
  return {
    element,
    show(what, content) {
      const now = JSON.stringify(what);
      if (now === shown) return;
      shown = now;
      element.replaceChildren(...content());
      element.hidden = !element.childElementCount;
    },
  };
}

/** A field with its label. */
export function field(label, input) {
  return make("div", { class: "field" }, make("label", { for: input.id }, label), input);
}

/** A form in one line; what `act` throws is said below its fields, the first of which gets the focus. */
export function adding(inputs, text, act) {
  const wrong = make("p", { class: "wrong", role: "alert", hidden: true });
  const submit = make("button", { class: "button", type: "submit" }, text);
  const form = make("form", { class: "adding" }, ...inputs.map(([label, input]) => field(label, input)), submit, wrong);
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    wrong.hidden = true;
    for (const [, input] of inputs) input.removeAttribute("aria-invalid");
    busy(submit, async () => {
      try {
        await act(...inputs.map(([, input]) => input.value.trim()));
        form.reset();
      } catch (error) {
        wrong.replaceChildren(icon("alert"), error.message);
        wrong.hidden = false;
        const [, input] = inputs.find(([, each]) => error.message.startsWith(each.name)) ?? inputs[0];
        input.setAttribute("aria-invalid", "true");
        input.focus();
      }
    });
  });
  return form;
}

/** Pages of a list: fills `rows` and gives a button for more while there is more. `key`: by which its pages go on. */
export function pages(path, show, nothing, key = "id") {
  const rows = make("div", { class: "rows" });
  const more = button("Show more", () => load(last));
  const box = make("div", {}, rows, make("div", { class: "row__actions" }, more));
  more.hidden = true;
  let last = null;

  async function load(after) {
    const url = new URL(path, location.href);
    if (after) url.searchParams.set("startingAfter", after);
    const answer = await ask(url.pathname + url.search, { whole: true });
    if (!after) rows.replaceChildren();
    rows.append(...answer.data.map(show));
    last = answer.data.at(-1)?.[key] ?? last;
    more.hidden = !answer.hasMore;
    if (!rows.childElementCount) rows.append(empty(nothing));
  }

  return { box, load: () => load(null) };
}
