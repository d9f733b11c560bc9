/* API keys: made, shown once, rotated, revoked. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { button, busy, chip, confirmed, dialog, head, moment, problem, secret } from "./parts.js";

export async function keys({ account, again }) {
  let found;
  try {
    found = await ask("/api/keys");
  } catch (error) {
    if (error.status === 403) return [head("API keys"), make("section", { class: "card section" }, problem(error))];
    throw error;
  }
  const rows = make("div", { class: "rows" });
  for (const key of found) rows.append(line(key, account, again));
  return [head("API keys", button("New key", () => create(again), "button--main")), make("section", { class: "card section" }, rows)];
}

function line(key, account, again) {
  const actions = make("span", { class: "row__actions" });
  if (!key.revokedAt) {
    const rotate = button("Rotate", async () => {
      if (!(await confirmed("Rotate this key?", `“${key.name}” is refused from now on, and a new key takes its place.`, "Rotate"))) return;
      show(await ask(`/api/keys/${encodeURIComponent(key.id)}/rotate`, { method: "POST" }));
      again();
    });
    const revoke = button("Revoke", async () => {
      const own = key.id === account.keyId ? " You are signed in with it." : "";
      if (!(await confirmed("Revoke this key?", `Programs that use “${key.name}” are refused at once.${own}`, "Revoke"))) return;
      await ask(`/api/keys/${encodeURIComponent(key.id)}`, { method: "DELETE" });
      notify("The key is revoked");
      again();
    });
    rotate.setAttribute("aria-label", `Rotate ${key.name}`);
    revoke.setAttribute("aria-label", `Revoke ${key.name}`);
    actions.append(rotate, revoke);
  }
  const used = make("span", { class: "small quiet" }, "used ", key.lastUsedAt ? moment(key.lastUsedAt) : "never");
  return make(
    "div",
    { class: "row row__line" },
    make("span", {}, make("span", { class: "row__name" }, key.name), make("span", { class: "quiet small" }, ` ${key.prefix}…`)),
    chip(key.revokedAt ? "revoked" : "valid"),
    used,
    actions,
  );
}

function create(again) {
  const name = make("input", { class: "input", id: "key-name", type: "text", maxlength: "100", autocomplete: "off", required: true });
  const wrong = make("p", { class: "wrong", role: "alert", hidden: true });
  const submit = make("button", { class: "button button--main", type: "submit" }, "Create the key");
  const form = make(
    "form",
    { class: "dialog__body" },
    make("div", { class: "field" }, make("label", { for: "key-name" }, "Name, to tell it from others"), name, wrong),
    make("div", { class: "dialog__foot" }, submit),
  );
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    wrong.hidden = true;
    busy(submit, async () => {
      try {
        show(await ask("/api/keys", { method: "POST", json: { name: name.value.trim() } }));
        again();
      } catch (error) {
        wrong.textContent = error.message;
        wrong.hidden = false;
        name.focus();
      }
    });
  });
  dialog("New API key", form);
  name.focus();
}

/** The only time that a key is seen. */
function show(key) {
  dialog("Keep this key", make("p", {}, "It is shown this once; the server keeps only what recognises it."), secret(key.key, "key"));
}
