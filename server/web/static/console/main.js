/* The console: who is signed in, which view is open. */

import { byId, closable, icon, make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { agents } from "./agents.js";
import { calls } from "./calls.js";
import { campaigns } from "./campaigns.js";
import { deliveries } from "./deliveries.js";
import { jobs } from "./jobs.js";
import { keys } from "./keys.js";
import { overview } from "./overview.js";
import { busy, problem } from "./parts.js";
import { settings } from "./settings.js";

const SESSION = "/console/session";
const VIEWS = [
  ["overview", "Overview", overview],
  ["jobs", "Jobs", jobs],
  ["agents", "Agents", agents],
  ["calls", "Calls", calls],
  ["campaigns", "Campaigns", campaigns],
  ["webhooks", "Webhooks", deliveries],
  ["keys", "API keys", keys],
  ["settings", "Settings", settings],
];

let account = null;
let leaving = new AbortController();

function present(found) {
  account = found;
  byId("signing").hidden = account !== null;
  byId("console").hidden = account === null;
  byId("sign-out").hidden = account === null;
  leaving.abort();
  if (account === null) {
    byId("view").replaceChildren();
    byId("key").focus();
    return;
  }
  const menu = byId("menu");
  menu.replaceChildren(
    ...VIEWS.map(([name, title]) => make("a", { href: `#${name}`, "data-view": name }, icon(name), title)),
    make("div", { class: "menu__account" }, make("strong", {}, account.name), `${account.plan} plan`),
  );
  open();
}

async function open() {
  if (account === null) return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const wanted = location.hash.slice(1);
  const [name, title, show] = VIEWS.find(([known]) => known === wanted) ?? VIEWS[0];
  for (const link of byId("menu").querySelectorAll("a")) {
    if (link.dataset.view === name) {
      link.setAttribute("aria-current", "page");
      bring(link);
    } else link.removeAttribute("aria-current");
  }
  document.title = `${title} – Visavis console`;
  const view = byId("view");
  view.setAttribute("aria-busy", "true");
  try {
    const parts = await show({ signal, account, again: () => open() });
    if (!signal.aborted) view.replaceChildren(...parts);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 401) present(null);
    else view.replaceChildren(problem(error));
  } finally {
    if (!signal.aborted) view.setAttribute("aria-busy", "false");
  }
}

/** Have the menu, where it is one line that scrolls, show this link; the page itself stays where it is. */
function bring(link) {
  const menu = byId("menu").getBoundingClientRect();
  const { left, width } = link.getBoundingClientRect();
  byId("menu").scrollLeft += left + width / 2 - (menu.left + menu.width / 2);
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = byId("key");
  const wrong = byId("key-wrong");
  wrong.hidden = true;
  key.removeAttribute("aria-invalid");
  busy(event.submitter ?? key, async () => {
    try {
      const found = await ask(SESSION, { method: "POST", json: { key: key.value.trim() } });
      key.value = "";
      present(found);
      byId("view").focus();
    } catch (error) {
      wrong.replaceChildren(icon("alert"), error.message);
      wrong.hidden = false;
      key.setAttribute("aria-invalid", "true");
      key.focus();
    }
  });
});

byId("sign-out").addEventListener("click", (event) =>
  busy(event.currentTarget, async () => {
    await ask(SESSION, { method: "DELETE" });
    present(null);
  }),
);

closable(byId("dialog"));
addEventListener("hashchange", () => {
  open();
  byId("view").focus();
});
ask(SESSION)
  .then(present)
  .catch((error) => {
    present(null);
    byId("key-wrong").replaceChildren(icon("alert"), error.message);
    byId("key-wrong").hidden = false;
  });
