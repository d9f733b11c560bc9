/* A conversation on the page, from Talk to its end: microphone, session and everything that shows them. */

import { byId } from "../shared/dom.js";
import { Awake } from "./awake.js";
import { Captions } from "./captions.js";
import { describe } from "./errors.js";
import { LevelMeter, checkBrowser, openMicrophone, silentTrack } from "./microphone.js";
import { announce, notify } from "../shared/notices.js";
import { Quality } from "./quality.js";
import { HUNG_UP, Session } from "./session.js";
import { Transcript } from "./transcript.js";
import { Waterfall, seconds } from "./waterfall.js";

const LOOK = 2000;
const INTERRUPTIBLE = new Set(["speaking", "thinking"]);

export class Call {
  /** `failed(error)` is told what went wrong; the conversation is over then. */
  constructor({ stage, devices, failed }) {
    this._stage = stage;
    this._devices = devices;
    this._failed = failed;
    this._transcript = new Transcript();
    this._waterfall = new Waterfall();
    this._captions = new Captions(this._transcript, { announce, select: (turn) => this._waterfall.select(turn) });
    this._quality = new Quality();
    this._awake = new Awake();
    this._session = null;
    this._attempt = 0;
    this._context = null;
    this._track = null;
    this._level = null; // of the microphone
    this._heard = null; // of the agent
    this._typing = false;
    this._muted = false;
    this._state = "";
    this._looking = 0;
    devices.addEventListener("microphone", () => this._changeMicrophone());
    devices.addEventListener("speaker", () => this._useSpeaker());
    devices.addEventListener("change", () => this._devicesChanged());
  }

  /** Whether a conversation goes on. */
  get live() {
    return document.body.dataset.view === "live";
  }

  /** Begin with this agent; `typing`: without a microphone. Answers when it runs, has failed or was given up. */
  async start(agent, { typing = false } = {}) {
    const attempt = ++this._attempt;
    this._agent = agent;
    this._typing = typing;
    this._stage.recover();
    show("starting");
    byId("end-text").textContent = "Cancel";
    byId("end").focus();
    try {
      checkBrowser();
      this._context ??= new AudioContext();
      this._context.resume();
      this._stage.state(typing ? "connecting" : "microphone");
      const track = typing ? silentTrack(this._context) : await openMicrophone(this._devices.microphone);
      if (attempt !== this._attempt) return track.stop();
      this._takeTrack(track);
      await this._join(agent, attempt);
    } catch (error) {
      if (attempt !== this._attempt) return undefined;
      this._leave("choosing");
      if (error.name !== "AbortError") this._failed(error);
    }
    return undefined;
  }

  /** Hang up, or give up the attempt. */
  end() {
    if (this._session) this._session.end();
    if (document.body.dataset.view === "starting") {
      this._attempt += 1;
      this._leave("choosing");
      byId("talk").focus();
    }
  }

  /** Mute or unmute; without a microphone, ask for one. */
  async toggleMute() {
    if (!this.live) return;
    if (this._typing) await this._changeMicrophone();
    else this._setMuted(!this._muted);
  }

  /** Let the agent stop speaking. */
  interrupt() {
    if (!this.live || !INTERRUPTIBLE.has(this._state)) return false;
    return this._session.tell("interrupt");
  }

  /** What Escape means: close the figures of the connection, else interrupt. */
  escape() {
    return this._quality.close() || this.interrupt();
  }

  /** Send a typed message; false where it cannot be sent. */
  write(text) {
    return this.live && this._session.tell("text", { text });
  }

  async _join(agent, attempt) {
    this._stage.state("connecting");
    announce(`Connecting to ${agent.name}`);
    const session = new Session(agent.id, this._track);
    this._session = session;
    this._captions.begin(agent.name);
    this._waterfall.clear();
    session.addEventListener("event", ({ detail }) => this._take(detail));
    session.addEventListener("stream", ({ detail }) => this._play(detail));
    session.addEventListener("link", ({ detail }) => this._linked(detail));
    session.addEventListener("over", ({ detail }) => this._ended(detail));
    await session.start();
    if (attempt === this._attempt) this._begun();
  }

  _begun() {
    show("live");
    byId("end-text").textContent = "End";
    this._stage.startClock();
    this._stage.state(this._state || "listening");
    this._quality.begin();
    this._awake.request();
    this._looking = setInterval(() => this._look(), LOOK);
    this._setMuted(this._typing);
    this._useSpeaker();
    announce(`Connected to ${this._agent.name}`);
    byId(this._typing ? "typed" : "mute").focus();
  }

  _take(event) {
    this._transcript.take(event);
    this._waterfall.take(event);
    this._quality.take(event);
    if (event.type === "state") this._setState(event.state);
    if (event.type === "transfer") notify("The agent wants to put you through; that only works on the phone.");
    if (event.type === "error") notify(`The server could not use that: ${event.error}`);
  }

  _setState(state) {
    this._state = state;
    byId("interrupt").disabled = !INTERRUPTIBLE.has(state);
    if (this.live) this._stage.state(state);
  }

  _play(stream) {
    this._stage.play(stream);
    if (stream.getAudioTracks().length) {
      this._heard ??= LevelMeter.open(this._context, stream, (level) => this._stage.level(level));
    }
  }

  _linked(how) {
    if (how === "weak") {
      this._quality.weak();
      this._stage.state("reconnecting");
      announce("The connection is interrupted");
    } else if (this.live) this._stage.state(this._state);
  }

  async _look() {
    const figures = await this._session?.figures();
    if (figures && this._stage.video.srcObject && byId("state-text").textContent !== "Reconnecting") this._quality.show(figures);
  }

  _ended({ reason, error }) {
    const lasted = this._stage.stopClock();
    this._transcript.close();
    this._leave("ended");
    const { count, median } = this._waterfall.summary();
    const answers = count ? ` · ${count} ${count === 1 ? "answer" : "answers"}, typically after ${seconds(median)}` : "";
    const who = error ? "Broken off" : reason === HUNG_UP ? "You ended it" : `${this._agent.name} ended it`;
    this._stage.line(`${who} after ${lasted}${answers}`);
    announce(`The conversation is over. ${who}.`);
    if (error) this._failed(error);
    else byId("talk").focus();
  }

  /** Nothing of the conversation runs any more; its words stay on the page. */
  _leave(view) {
    clearInterval(this._looking);
    this._session = null;
    this._state = "";
    this._heard?.stop();
    this._level?.stop();
    this._heard = this._level = null;
    this._awake.release();
    this._track?.stop();
    this._track = null;
    this._context?.suspend();
    this._quality.end();
    this._stage.stop();
    byId("interrupt").disabled = true;
    show(view);
  }

  _takeTrack(track) {
    const before = this._track;
    this._track = track;
    this._level?.stop();
    this._level = null;
    if (!this._typing) {
      track.addEventListener("ended", () => track === this._track && this._microphoneGone());
      this._level = LevelMeter.open(this._context, new MediaStream([track]), showLevel);
    }
    before?.stop();
  }

  _setMuted(muted) {
    this._muted = muted;
    if (this._track && !this._typing) this._track.enabled = !muted;
    this._session?.tell("mute", { muted });
    const text = this._typing ? "Use a microphone" : muted ? "Unmute" : "Mute";
    const button = byId("mute");
    byId("mute-text").textContent = text;
    button.setAttribute("aria-pressed", String(muted && !this._typing));
    button.querySelector("use").setAttribute("href", muted ? "#icon-microphone-off" : "#icon-microphone");
    document.body.dataset.muted = String(muted);
  }

  /** Take the chosen microphone, or any; what was used before goes on where that fails. */
  async _changeMicrophone() {
    if (!this.live) return;
    const session = this._session;
    try {
      const track = await openMicrophone(this._devices.microphone);
      if (session !== this._session) return track.stop();
      const muted = this._muted && !this._typing;
      this._typing = false;
      await session.useTrack(track);
      this._takeTrack(track);
      this._setMuted(muted);
      notify(`Microphone: ${track.label || "the system’s choice"}`);
    } catch (error) {
      const { title, text } = describe(error);
      notify(`${title}. ${text}`);
    }
    return undefined;
  }

  /** The microphone was unplugged: take another, or go on by typing. */
  async _microphoneGone() {
    const session = this._session;
    if (!session) return;
    try {
      const track = await openMicrophone("");
      if (session !== this._session) return void track.stop();
      await session.useTrack(track);
      this._takeTrack(track);
      this._setMuted(this._muted);
      notify(`The microphone was unplugged. You now speak through ${track.label || "another one"}.`);
    } catch {
      if (session !== this._session) return;
      this._typing = true;
      const track = silentTrack(this._context);
      await session.useTrack(track);
      this._takeTrack(track);
      this._setMuted(true);
      notify("The microphone was unplugged and there is no other. Plug one in and press “Use a microphone”, or type.");
    }
  }

  async _devicesChanged() {
    if (this.live && !this._devices.speakerThere) {
      await this._sink("");
      notify("The speaker was unplugged. You now hear the agent on the system’s choice.");
    }
  }

  async _useSpeaker() {
    if (!this._devices.canChooseSpeaker) return;
    if (await this._sink(this._devices.speaker)) return;
    await this._sink("");
    notify("That speaker cannot be used. You hear the agent on the system’s choice.");
  }

  async _sink(id) {
    try {
      await this._stage.video.setSinkId(id);
      return true;
    } catch {
      return false;
    }
  }
}

/** Which part of the page counts: choosing, starting, live or ended. */
export function show(view) {
  document.body.dataset.view = view;
  for (const control of document.querySelectorAll("[data-when]")) {
    control.hidden = !control.dataset.when.split(" ").includes(view);
  }
  const talked = view === "live" || view === "ended";
  byId("choose").hidden = talked;
  byId("conversation").hidden = !talked;
  byId("timing").hidden = !talked;
  byId("composer").hidden = view !== "live";
  byId("talk-text").textContent = view === "ended" ? "Talk again" : "Talk";
}

function showLevel(level) {
  byId("level").style.setProperty("--level", level.toFixed(2));
}
