/* The agent's face: picture and sound of the call, what it does at the moment, and what went wrong. */

import { byId, make } from "../shared/dom.js";
import { describe } from "./errors.js";

const STATES = {
  microphone: "Waiting for the microphone",
  connecting: "Connecting",
  reconnecting: "Reconnecting",
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
  interrupted: "Go ahead",
};
const STALE = 2000;

export class Stage {
  constructor() {
    this.video = byId("video");
    this._frame = byId("stage");
    this._poster = byId("poster");
    this._pill = byId("state");
    this._pillText = byId("state-text");
    this._clock = byId("clock");
    this._listen = byId("listen");
    this._problem = byId("problem");
    this._begun = 0;
    this._ticking = 0;
    this._counting = 0;
    this._framedAt = 0;
    this._frames = 0;
    this._poster.addEventListener("error", () => {
      this._poster.hidden = true;
    });
    this._listen.addEventListener("click", () => this._play());
  }

  /** Show an agent before it is there: {name, greeting, poster}. */
  present({ name, line, poster }) {
    byId("agent-name").textContent = name;
    byId("agent-line").textContent = line ?? "";
    byId("stage-initial").textContent = [...name.trim()][0]?.toUpperCase() ?? "";
    this._poster.hidden = !poster;
    if (poster) this._poster.src = poster;
    else this._poster.removeAttribute("src");
  }

  /** Replace the line below the name. */
  line(text) {
    byId("agent-line").textContent = text;
  }

  /** What the agent does now: a key of STATES, "" for nothing. */
  state(name) {
    this._frame.dataset.state = name;
    this._pill.hidden = !(name in STATES);
    this._pillText.textContent = STATES[name] ?? "";
  }

  /** Play what comes from the agent. The poster stays until there is a picture, and comes back when it stalls. */
  play(stream) {
    if (this.video.srcObject !== stream) this.video.srcObject = stream;
    this._play();
    this._awaitFrame();
  }

  /** Nothing is played any more. */
  stop() {
    this.video.pause();
    this.video.srcObject = null;
    this._frames += 1;
    this._frame.classList.remove("stage__frame--face");
    this._listen.hidden = true;
    this.level(0);
    this.state("");
  }

  /** How loud the agent is, 0 to 1. */
  level(value) {
    this._frame.style.setProperty("--level", value.toFixed(2));
  }

  startClock() {
    this._begun = performance.now();
    this._clock.hidden = false;
    this._tick();
    this._ticking = setInterval(() => this._tick(), 1000);
  }

  /** Returns how long it ran, as m:ss. */
  stopClock() {
    clearInterval(this._ticking);
    this._clock.hidden = true;
    return this._clock.textContent;
  }

  /** Say what went wrong; `act` is called with what the person wants to do about it. */
  fail(error, act) {
    this.recover();
    const { code, title, text, actions, retryAfter } = describe(error);
    this._problem.dataset.code = code;
    byId("problem-title").textContent = title;
    byId("problem-text").textContent = text;
    const buttons = actions.map(({ does, text: label }, index) => {
      const button = make("button", { class: index ? "button" : "button button--main", type: "button" }, label);
      button.addEventListener("click", () => act(does));
      return button;
    });
    byId("problem-actions").replaceChildren(...buttons);
    this._problem.hidden = false;
    document.body.dataset.problem = code;
    if (retryAfter !== null && buttons.length) this._countDown(retryAfter, buttons[0]);
    (buttons.find((button) => !button.disabled) ?? this._problem).focus();
  }

  /** Take the problem away. */
  recover() {
    clearInterval(this._counting);
    this._problem.hidden = true;
    byId("problem-count").hidden = true;
    delete document.body.dataset.problem;
  }

  async _play() {
    try {
      await this.video.play();
      this._listen.hidden = true;
    } catch (error) {
      if (error.name === "NotAllowedError") this._listen.hidden = false; // the browser wants a click before sound
    }
  }

  _awaitFrame() {
    const mine = ++this._frames;
    const framed = () => {
      if (mine !== this._frames) return;
      this._framedAt = performance.now();
      this._frame.classList.add("stage__frame--face");
      this.video.requestVideoFrameCallback(framed);
    };
    if ("requestVideoFrameCallback" in this.video) {
      this.video.requestVideoFrameCallback(framed);
      const look = setInterval(() => {
        if (mine !== this._frames) clearInterval(look);
        else if (performance.now() - this._framedAt > STALE) this._frame.classList.remove("stage__frame--face");
      }, STALE / 2);
    } else {
      const shown = () => this._frame.classList.toggle("stage__frame--face", this.video.videoWidth > 0);
      this.video.addEventListener("resize", shown, { once: true });
    }
  }

  _tick() {
    const passed = Math.floor((performance.now() - this._begun) / 1000);
    this._clock.textContent = `${Math.floor(passed / 60)}:${String(passed % 60).padStart(2, "0")}`;
  }

  _countDown(from, button) {
    const count = byId("problem-count");
    let left = from;
    const show = () => {
      count.textContent = left > 0 ? `You can try again in ${left} s` : "You can try again now";
      button.disabled = left > 0;
    };
    count.hidden = false;
    show();
    this._counting = setInterval(() => {
      left -= 1;
      show();
      if (left > 0) return;
      clearInterval(this._counting);
      if (this._problem.contains(document.activeElement) || document.activeElement === document.body) button.focus();
    }, 1000);
  }
}
