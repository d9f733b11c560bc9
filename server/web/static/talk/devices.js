/* Which microphone and which speaker: chosen here, remembered, changed while talking, missed when unplugged.

Events: `microphone` and `speaker` (detail: device id, "" for the system's choice), `change` when devices come or go. */

import { byId, closable, make, recall, remember } from "../shared/dom.js";

const MICROPHONE = "visavis.microphone";
const SPEAKER = "visavis.speaker";

export class Devices extends EventTarget {
  constructor() {
    super();
    this.microphone = recall(MICROPHONE) ?? "";
    this.speaker = recall(SPEAKER) ?? "";
    this._dialog = byId("devices");
    this._microphones = byId("microphone");
    this._speakers = byId("speaker");
    this.canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;
    byId("speaker-field").hidden = !this.canChooseSpeaker;
    byId("speaker-note").hidden = this.canChooseSpeaker;
    closable(this._dialog);
    byId("devices-open").addEventListener("click", () => this.open());
    this._microphones.addEventListener("change", () => this._choose("microphone", MICROPHONE, this._microphones.value));
    this._speakers.addEventListener("change", () => this._choose("speaker", SPEAKER, this._speakers.value));
    navigator.mediaDevices?.addEventListener("devicechange", async () => {
      await this.refresh();
      this.dispatchEvent(new CustomEvent("change"));
    });
  }

  async open() {
    await this.refresh();
    if (!this._dialog.open) this._dialog.showModal();
  }

  /** Read the system's devices anew; returns whether the chosen speaker is still there. */
  async refresh() {
    const found = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const microphones = found.filter(({ kind }) => kind === "audioinput");
    const named = microphones.some(({ label }) => label);
    fill(this._microphones, microphones, this.microphone, "Microphone");
    fill(this._speakers, found.filter(({ kind }) => kind === "audiooutput"), this.speaker, "Speaker");
    const note = byId("microphone-note");
    note.hidden = named;
    note.textContent = microphones.length
      ? "Their names appear here once you have allowed the microphone."
      : "No microphone is connected.";
    this.speakerThere = !this.speaker || found.some(({ kind, deviceId }) => kind === "audiooutput" && deviceId === this.speaker);
  }

  _choose(kind, key, id) {
    this[kind] = id;
    remember(key, id);
    this.dispatchEvent(new CustomEvent(kind, { detail: id }));
  }
}

function fill(select, devices, chosen, kind) {
  const real = devices.filter(({ deviceId }) => deviceId && deviceId !== "default" && deviceId !== "communications");
  const options = real.map(({ deviceId, label }, index) => make("option", { value: deviceId }, label || `${kind} ${index + 1}`));
  select.replaceChildren(make("option", { value: "" }, "The system’s choice"), ...options);
  select.value = real.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
  select.disabled = !devices.length;
}
