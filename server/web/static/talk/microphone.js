/* The caller's microphone: opened with a reason for every refusal, measured, and silent where there is none. */

import { Problem } from "./errors.js";

const PROCESSING = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

/** Whether this page may use microphones and calls at all. Throws Problem. */
export function checkBrowser() {
  if (!window.isSecureContext) throw new Problem("INSECURE_CONTEXT");
  if (typeof RTCPeerConnection !== "function") throw new Problem("NO_WEBRTC");
}

/** Open a microphone; `deviceId` "" for the system's choice, also taken where that one is gone. Throws Problem. */
export async function openMicrophone(deviceId = "") {
  checkBrowser();
  if (!navigator.mediaDevices?.getUserMedia) throw new Problem("MIC_NONE");
  try {
    return await getTrack(deviceId ? { ...PROCESSING, deviceId: { exact: deviceId } } : PROCESSING);
  } catch (error) {
    const gone = error.name === "OverconstrainedError" || error.name === "NotFoundError";
    if (deviceId && gone) return openMicrophone("");
    throw await microphoneProblem(error);
  }
}

async function getTrack(audio) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio, video: false });
  return stream.getAudioTracks()[0];
}

async function microphoneProblem(error) {
  switch (error.name) {
    case "NotFoundError":
    case "OverconstrainedError":
      return new Problem("MIC_NONE", error.message);
    case "NotReadableError":
    case "AbortError":
      return new Problem("MIC_IN_USE", error.message);
    case "SecurityError":
      return new Problem("MIC_DENIED", error.message);
    case "NotAllowedError":
      if (/system/i.test(error.message)) return new Problem("MIC_BLOCKED_BY_SYSTEM", error.message);
      return new Problem((await permission()) === "denied" ? "MIC_DENIED" : "MIC_DISMISSED", error.message);
    default:
      return new Problem("MIC_FAILED", error.message);
  }
}

async function permission() {
  try {
    return (await navigator.permissions.query({ name: "microphone" })).state;
  } catch {
    return "unknown"; // Firefox did not always know this name
  }
}

/** A track on which nobody speaks, for those who type. It does send: who sends nothing is taken to be gone. */
export function silentTrack(context) {
  const destination = context.createMediaStreamDestination();
  const source = new ConstantSourceNode(context, { offset: 0 });
  source.connect(destination);
  source.start();
  return destination.stream.getAudioTracks()[0];
}

/** Measures how loud a stream is, about thirty times a second; `stop` ends it. */
export class LevelMeter {
  /** A meter, or null where this browser cannot measure that stream (another sample rate): it is decoration. */
  static open(context, stream, show) {
    try {
      return new LevelMeter(context, stream, show);
    } catch {
      return null;
    }
  }

  constructor(context, stream, show) {
    this._source = context.createMediaStreamSource(stream);
    this._analyser = context.createAnalyser();
    this._analyser.fftSize = 512;
    this._samples = new Float32Array(this._analyser.fftSize);
    this._show = show;
    this._level = 0;
    this._source.connect(this._analyser);
    this._timer = setInterval(() => this._measure(), 33);
  }

  _measure() {
    this._analyser.getFloatTimeDomainData(this._samples);
    let sum = 0;
    for (const sample of this._samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / this._samples.length + 1e-10);
    const level = Math.min(1, Math.max(0, (decibels + 55) / 40));
    this._level = Math.max(level, this._level * 0.8);
    this._show(this._level);
  }

  stop() {
    clearInterval(this._timer);
    this._source.disconnect();
    this._show(0);
  }
}
