/* Keyboard shortcuts: never taken from a field, a button or a dialog that has the focus, and they can be switched off. */

import { byId, closable, recall, remember } from "../shared/dom.js";

const KEY = "visavis.shortcuts";
const OFF = "off";
const FIELDS = "input, textarea, select, [contenteditable]";
const NEEDS_SPACE = "button, a, summary, label, video, [role=button], [role=log]"; // to press, or to scroll

/** What a key asks for: mute, interrupt, type, devices, help, or null where it is not ours. */
export function meaning({ key, ctrlKey, metaKey, altKey, isComposing, defaultPrevented, repeat, target }) {
  if (ctrlKey || metaKey || altKey || isComposing || defaultPrevented || repeat) return null;
  if (target.closest?.(FIELDS)) return null;
  switch (key) {
    case " ":
      return target.closest?.(NEEDS_SPACE) ? null : "mute";
    case "m":
    case "M":
      return "mute";
    case "Escape":
      return "interrupt";
    case "/":
      return "type";
    case "d":
    case "D":
      return "devices";
    case "?":
      return "help";
    default:
      return null;
  }
}

/** Call actions[meaning]() for each shortcut; one that returns false leaves the key to the browser. */
export function listen(actions) {
  const help = byId("help");
  const box = byId("keys-on");
  closable(help);
  box.checked = recall(KEY) !== OFF;
  box.addEventListener("change", () => remember(KEY, box.checked ? "on" : OFF));
  const all = { ...actions, help: () => help.showModal() };
  byId("help-open").addEventListener("click", all.help);
  document.addEventListener("keydown", (event) => {
    if (!box.checked || document.querySelector("dialog[open]")) return;
    const action = all[meaning(event)];
    if (action && action() !== false) event.preventDefault();
  });
}
