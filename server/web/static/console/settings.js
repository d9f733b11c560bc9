/* Where webhooks go, and the secret that signs them. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { doNotCall, numbers } from "./numbers.js";
import { busy, button, head, section, secret } from "./parts.js";

export async function settings() {
  const [found, ...telephone] = await Promise.all([ask("/api/settings"), numbers(), doNotCall()]);
  const url = make("input", { class: "input", id: "webhook", type: "url", inputmode: "url", maxlength: "2048", placeholder: "https://example.com/hooks/visavis", "aria-describedby": "webhook-wrong", autocomplete: "off" });
  url.value = found.webhookUrl ?? "";
  const wrong = make("p", { class: "wrong", id: "webhook-wrong", role: "alert", hidden: true });
  const save = make("button", { class: "button button--main", type: "submit" }, "Save");
  const form = make("form", { class: "section__form" }, make("div", { class: "field" }, make("label", { for: "webhook" }, "URL that hears when a job is done or has failed"), url, wrong), make("p", { class: "row__actions" }, save));
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    wrong.hidden = true;
    url.removeAttribute("aria-invalid");
    busy(save, async () => {
      try {
        const kept = await ask("/api/settings", { method: "PATCH", json: { webhookUrl: url.value.trim() || null } });
        url.value = kept.webhookUrl ?? "";
        notify(kept.webhookUrl ? "Webhooks go there from now on" : "No webhooks are sent from now on");
      } catch (error) {
        wrong.textContent = error.message;
        wrong.hidden = false;
        url.setAttribute("aria-invalid", "true");
        url.focus();
      }
    });
  });
  const hidden = make("div", {});
  hidden.append(button("Show the secret", () => hidden.replaceChildren(secret(found.webhookSecret, "webhook secret"))));
  return [
    head("Settings"),
    section("Webhooks", form),
    section("Signing secret", make("p", { class: "quiet" }, "Every webhook is signed after Standard Webhooks with this secret, so that you can tell it from others."), hidden),
    ...telephone,
  ];
}
