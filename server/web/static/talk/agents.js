/* Who can be talked to: a card each, one of them chosen. Those that the visitor has made can be deleted. */

import { byId, icon, make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { Problem } from "./errors.js";
import { announce, notify } from "../shared/notices.js";

const AGENTS = "/api/sessions/agents";
const PARAMETER = "agent";
const SURE = 4000;

/** The avatars that the visitor has made. */
export const AVATARS = "/api/page/avatars";

export class Agents extends EventTarget {
  constructor() {
    super();
    this._box = byId("agents");
    this._agents = [];
    this._own = new Map(); // avatar ids by the agents that have them
    this.chosen = null;
    this._box.addEventListener("change", ({ target }) => this.choose(target.value));
    this._wait();
  }

  /** Ask the server who is there. Throws ApiError or Problem. */
  async load() {
    this._wait();
    try {
      const own = ask(AVATARS).catch(() => []); // a server that makes none is one all the same
      this._agents = await ask(AGENTS);
      this._own = new Map((await own).map(({ id, agentId }) => [agentId, id]));
    } catch (error) {
      this._box.replaceChildren();
      if (error.status === 401) throw new Problem("NOT_OPEN", error.message);
      throw error;
    } finally {
      this._box.setAttribute("aria-busy", "false");
    }
    this._draw();
    const asked = new URLSearchParams(location.search).get(PARAMETER);
    this.choose(this._agents.some(({ id }) => id === asked) ? asked : this._agents[0]?.id);
    if (!this._agents.length) throw new Problem("NO_AGENTS");
  }

  /** One more, at the end; it is chosen. `avatarId`: what it is deleted by. */
  add(agent, avatarId) {
    this._own.set(agent.id, avatarId);
    this._agents = [...this._agents.filter(({ id }) => id !== agent.id), agent];
    this._draw();
    this.choose(agent.id);
  }

  /** One fewer. */
  remove(id) {
    this._agents = this._agents.filter((agent) => agent.id !== id);
    this._own.delete(id);
    this._draw();
    if (this.chosen?.id === id) this.choose(this._agents[0]?.id);
    else this.choose(this.chosen?.id);
  }

  choose(id) {
    this.chosen = this._agents.find((agent) => agent.id === id) ?? null;
    const input = [...this._box.querySelectorAll("input")].find(({ value }) => value === id);
    if (input) input.checked = true;
    if (this.chosen && this._agents.length > 1) {
      const query = new URLSearchParams({ [PARAMETER]: id });
      history.replaceState(null, "", `?${query}`);
    }
    this.dispatchEvent(new CustomEvent("choose", { detail: this.chosen }));
  }

  focus() {
    (this._box.querySelector("input:checked") ?? byId("avatar-open")).focus();
  }

  _wait() {
    this._box.setAttribute("aria-busy", "true");
    this._box.replaceChildren(make("div", { class: "agent agent--waiting", "aria-hidden": "true" }));
  }

  _draw() {
    this._box.replaceChildren(...this._agents.map((agent) => this._row(agent)));
  }

  _row(agent) {
    const row = make("div", { class: "agents__row" }, card(agent));
    const avatar = this._own.get(agent.id);
    if (avatar) row.append(this._deleting(agent, avatar));
    return row;
  }

  /** A button that deletes when it is pressed twice. */
  _deleting({ id, name }, avatar) {
    const text = make("span", { class: "unseen" }, `Delete ${name}`);
    const button = make("button", { class: "button button--bare agents__delete", type: "button", title: `Delete ${name}` }, icon("delete"), text);
    let sure = false;
    const askAgain = (again) => {
      sure = again;
      text.className = again ? "" : "unseen";
      text.textContent = again ? "Delete for good?" : `Delete ${name}`;
      button.classList.toggle("agents__delete--sure", again);
    };
    button.addEventListener("click", async () => {
      if (!sure) {
        askAgain(true);
        announce(`Press again to delete ${name}`);
        setTimeout(() => askAgain(false), SURE);
        return;
      }
      button.disabled = true;
      try {
        await ask(`${AVATARS}/${encodeURIComponent(avatar)}`, { method: "DELETE" });
      } catch (error) {
        if (error.status !== 404) {
          button.disabled = false;
          notify(`${name} could not be deleted: ${error.message}`);
          return;
        }
      }
      this.remove(id);
      announce(`${name} is deleted`);
      this.focus();
    });
    return button;
  }
}

function card({ id, name, language, greeting, poster }) {
  const initial = make("span", { class: "agent__initial", "aria-hidden": "true" }, [...name.trim()][0]?.toUpperCase() ?? "");
  const face = make("span", { class: "agent__face" }, initial);
  if (poster) {
    const image = make("img", { src: poster, alt: "", loading: "lazy", width: 72, height: 72 });
    image.addEventListener("error", () => image.remove());
    face.append(image);
  }
  return make(
    "label",
    { class: "agent" },
    make("input", { class: "agent__choice", type: "radio", name: "agent", value: id }),
    face,
    make(
      "span",
      { class: "agent__words" },
      make(
        "span",
        { class: "agent__name" },
        make("bdi", {}, name),
        languageName(language) ? make("span", { class: "agent__language" }, languageName(language)) : null,
      ),
      greeting ? make("span", { class: "agent__line", dir: "auto" }, `“${greeting}”`) : null,
    ),
    make("span", { class: "agent__tick", "aria-hidden": "true" }),
  );
}

function languageName(code) {
  if (!code || code === "auto") return "";
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? "";
  } catch {
    return "";
  }
}
