/* Short notices at the edge of the page, and lines for screen readers alone. */

import { byId, icon, make } from "./dom.js";

const STAYS = 8000;
const MOST = 3;
const KEPT = 20;

/** Show a notice for a while; it can be closed before. */
export function notify(text) {
  const close = make("button", { class: "button button--bare button--round", type: "button", "aria-label": "Close this notice" }, icon("close"));
  const notice = make("div", { class: "notice" }, make("span", {}, text), close);
  const box = byId("notices");
  box.append(notice);
  while (box.children.length > MOST) box.firstElementChild.remove();
  const timer = setTimeout(() => notice.remove(), STAYS);
  close.addEventListener("click", () => {
    clearTimeout(timer);
    notice.remove();
  });
}

/** Let a screen reader say this when it is done with what it says. */
export function announce(text) {
  const box = byId("announcements");
  box.append(make("p", {}, text));
  while (box.children.length > KEPT) box.firstElementChild.remove();
}
