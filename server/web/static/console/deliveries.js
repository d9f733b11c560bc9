/* What was sent to webhooks, each attempt of it, and sending it again. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { notify } from "../shared/notices.js";
import { button, chip, facts, head, moment, pages, row } from "./parts.js";

export async function deliveries() {
  const list = pages("/api/webhooks/deliveries?limit=50", line, "Nothing has been sent. Name a webhook URL in the settings to hear when jobs are done.");
  await list.load();
  return [head("Webhook deliveries"), make("section", { class: "card section" }, list.box)];
}

function line(delivery) {
  const again = button("Send again", async () => {
    await ask(`/api/webhooks/deliveries/${encodeURIComponent(delivery.id)}/redeliver`, { method: "POST" });
    notify("It is being sent again");
  });
  return row([make("span", { class: "row__name" }, delivery.event, make("span", { class: "quiet small" }, ` ${delivery.url}`)), chip(delivery.status), moment(delivery.createdAt)], () => [
    facts([
      ["Id", delivery.id],
      ["Job", delivery.jobId],
      ["Attempts", String(delivery.attempts)],
      ["Last answer", delivery.lastStatus === null ? "none" : String(delivery.lastStatus)],
      ["Next attempt", delivery.nextAttemptAt && moment(delivery.nextAttemptAt)],
      ...delivery.log.map((attempt, index) => [`Attempt ${index + 1}`, JSON.stringify(attempt)]),
    ]),
    make("div", { class: "row__actions" }, again),
  ]);
}
