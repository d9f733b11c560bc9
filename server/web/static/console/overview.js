/* Credits: how many are left, where they went, day by day and line by line. */

import { make } from "../shared/dom.js";
import { ask } from "../shared/http.js";
import { empty, head, moment, number, section } from "./parts.js";

const SVG = "http://www.w3.org/2000/svg";
const DAYS = 30;
const HEIGHT = 100;
const KINDS = { grant: "Granted", withdraw: "Withdrawn", reserve: "Reserved", settle: "Settled", refund: "Refunded" };

export async function overview() {
  const [usage, history] = await Promise.all([ask("/api/usage"), ask(`/api/usage/history?days=${DAYS}`)]);
  return [
    head("Overview"),
    figures(usage),
    section(`Credits spent in the last ${DAYS} days`, chart(history.days)),
    section("This month", used(usage)),
    section("Ledger", ledger(history.ledger)),
  ];
}

function figures(usage) {
  const list = make("dl", { class: "figures" });
  const add = (name, value, note) =>
    list.append(make("div", { class: "card figure" }, make("dt", {}, name), make("dd", {}, value), make("small", {}, note)));
  add("Credits left", number(usage.credits), usage.creditsReserved ? `${number(usage.creditsReserved)} more are reserved` : "nothing is reserved");
  add("Spent this month", number(usage.creditsUsed), `since ${usage.cycleStart.slice(0, 10)} (UTC)`);
  add("Plan", usage.plan, `${number(usage.requestsPerDay)} requests a day`);
  return list;
}

function chart(days) {
  const most = Math.max(1, ...days.map((day) => day.spent));
  const svg = document.createElementNS(SVG, "svg");
  const step = 100 / days.length;
  const attributes = (element, values) => Object.entries(values).forEach(([name, value]) => element.setAttribute(name, value));
  attributes(svg, { class: "chart", viewBox: `0 0 100 ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const total = days.reduce((sum, day) => sum + day.spent, 0);
  const peak = days.find((day) => day.spent === most);
  svg.setAttribute("aria-label", `${number(total)} credits in ${days.length} days${peak ? `, most on ${peak.date}: ${number(most)}` : ""}`);
  days.forEach((day, index) => {
    const height = day.spent > 0 ? Math.max(2, (day.spent / most) * HEIGHT) : 1;
    const bar = document.createElementNS(SVG, "rect");
    attributes(bar, { x: index * step + step * 0.15, y: HEIGHT - height, width: step * 0.7, height, rx: 0.4 });
    if (day.spent <= 0) bar.setAttribute("class", "chart__none");
    const title = document.createElementNS(SVG, "title");
    title.textContent = `${day.date}: ${number(day.spent)} credits`;
    bar.append(title);
    svg.append(bar);
  });
  const ends = make("p", { class: "chart__ends" }, make("span", {}, days[0].date), make("span", {}, `most in a day: ${number(peak ? most : 0)}`), make("span", {}, days.at(-1).date));
  return make("div", {}, svg, ends);
}

function used(usage) {
  const rows = Object.entries(usage.used).filter(([, count]) => count > 0);
  if (!rows.length) return empty("Nothing was made this month.");
  const list = make("dl", { class: "facts" });
  for (const [name, count] of rows) list.append(make("dt", {}, words(name)), make("dd", { class: "number" }, number(count)));
  return list;
}

/** "avatarVideos" as "Avatar videos". */
function words(name) {
  const spaced = name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return spaced[0].toUpperCase() + spaced.slice(1);
}

function ledger(lines) {
  if (!lines.length) return empty("No credits have come or gone yet.");
  const rows = make("div", { class: "rows" });
  for (const line of lines) {
    const change = line.change > 0 ? `+${number(line.change)}` : line.change < 0 ? `−${number(-line.change)}` : "0";
    rows.append(
      make(
        "div",
        { class: "row row__line" },
        make("span", { class: "row__name" }, KINDS[line.kind] ?? line.kind, make("span", { class: "quiet small" }, ` ${line.reason}`)),
        make("span", { class: "number" }, change),
        moment(line.createdAt),
        make("span", { class: "number quiet", title: "Credits left after it" }, number(line.balance)),
      ),
    );
  }
  return rows;
}
