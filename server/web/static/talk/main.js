/* The talk page: puts its parts together. */

import { byId } from "../shared/dom.js";
import { Agents } from "./agents.js";
import { AvatarMaker } from "./avatars.js";
import { Call, show } from "./call.js";
import { Devices } from "./devices.js";
import { listen } from "./keys.js";
import { checkBrowser } from "./microphone.js";
import { notify } from "../shared/notices.js";
import { Stage } from "./stage.js";

const stage = new Stage();
const devices = new Devices();
const agents = new Agents();
const call = new Call({ stage, devices, failed: (error) => stage.fail(error, act) });
let typing = false;

function start(options = {}) {
  if (!agents.chosen || call.live) return;
  typing = options.typing ?? false;
  call.start(agents.chosen, { typing });
}

function choose() {
  stage.recover();
  show("choosing");
  present(agents.chosen);
  agents.focus();
}

function present(agent) {
  byId("talk").disabled = byId("type-only").disabled = !agent;
  stage.present(agent ? { name: agent.name, line: agent.greeting, poster: agent.poster } : { name: "Talk face to face" });
}

async function load() {
  stage.recover();
  try {
    await agents.load();
    checkBrowser();
  } catch (error) {
    let shown = error;
    try {
      checkBrowser(); // nothing else matters where this fails
    } catch (problem) {
      shown = problem;
    }
    stage.fail(shown, act);
  }
}

/** What the buttons of a problem do. */
function act(does) {
  if (does === "reload") location.reload();
  else if (does === "choose") choose();
  else if (!agents.chosen) load();
  else start({ typing: does === "type" || typing });
}

agents.addEventListener("choose", ({ detail }) => {
  stage.recover();
  present(detail);
});
byId("talk").addEventListener("click", () => start());
byId("type-only").addEventListener("click", () => start({ typing: true }));
byId("another").addEventListener("click", choose);
byId("end").addEventListener("click", () => call.end());
byId("mute").addEventListener("click", () => call.toggleMute());
byId("interrupt").addEventListener("click", () => call.interrupt());
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("typed");
  const text = field.value.trim();
  if (!text) return;
  if (call.write(text)) field.value = "";
  else notify("The message could not be sent. It is still in the field.");
});
listen({
  mute: () => call.live && void call.toggleMute(),
  interrupt: () => call.escape(),
  type: () => call.live && byId("typed").focus(),
  devices: () => void devices.open(),
});
new AvatarMaker({
  made: (agent, avatarId) => agents.add(agent, avatarId),
  discarded: (id) => agents.remove(id),
  talk: () => start(),
});
addEventListener("pagehide", () => call.end());

show("choosing");
stage.state("");
load();
