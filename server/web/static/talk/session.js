/* One conversation with the server over WebRTC: asked for, joined, watched and ended. Shows nothing itself.

Events: `event` (detail: what the server tells), `stream` (detail: MediaStream), `link` (detail: connected, weak),
`over` (detail: {reason} where it ended in order, {error} where it did not). After `over` nothing more comes. */

import { ask } from "../shared/http.js";
import { Problem } from "./errors.js";

const SESSIONS = "/api/sessions";
const GATHERING = 1500;
const CONNECTING = 15000;
const SILENT = 12000;
/** Why it is over when we ended it. */
export const HUNG_UP = "you hung up";
const SERVER_STOPS = "the server is stopping";

export class Session extends EventTarget {
  constructor(agentId, track) {
    super();
    this.agentId = agentId;
    this._track = track;
    this._ticket = null;
    this._peer = null;
    this._channel = null;
    this._sender = null;
    this._abort = new AbortController();
    this._patience = 0;
    this._wasConnected = false;
    this._over = false;
  }

  /** Ask for a session and join it; resolves when the media flows. Throws Problem or ApiError; then it is over. */
  async start() {
    try {
      this._ticket = await ask(SESSIONS, { method: "POST", json: { agentId: this.agentId }, signal: this._abort.signal });
      await this._join();
    } catch (error) {
      const ended = this._over;
      this._close();
      throw ended ? new DOMException("ended", "AbortError") : error;
    }
  }

  /** Tell the server something; false where it cannot be told now. */
  tell(type, data = {}) {
    if (this._channel?.readyState !== "open") return false;
    this._channel.send(JSON.stringify({ type, ...data }));
    return true;
  }

  /** Speak through another microphone from now on. */
  async useTrack(track) {
    this._track = track;
    await this._sender?.replaceTrack(track);
  }

  /** Hang up. */
  end() {
    this._finish({ reason: HUNG_UP });
  }

  /** Figures of the connection, as the browser counts them; null where there is none. */
  async figures() {
    if (!this._peer || this._over) return null;
    const found = { roundTrip: null, lost: 0, received: 0, jitter: null, frames: null, width: null, height: null };
    for (const report of (await this._peer.getStats()).values()) {
      if (report.type === "candidate-pair" && report.nominated) found.roundTrip = report.currentRoundTripTime ?? null;
      if (report.type !== "inbound-rtp") continue;
      if (report.kind === "audio") {
        found.lost = report.packetsLost ?? 0;
        found.received = report.packetsReceived ?? 0;
        found.jitter = report.jitter ?? null;
      } else {
        found.frames = report.framesPerSecond ?? null;
        found.width = report.frameWidth ?? null;
        found.height = report.frameHeight ?? null;
      }
    }
    return found;
  }

  async _join() {
    const peer = new RTCPeerConnection({ iceServers: this._ticket.iceServers, bundlePolicy: "max-bundle" });
    this._peer = peer;
    this._sender = peer.addTrack(this._track, new MediaStream([this._track]));
    peer.addTransceiver("video", { direction: "recvonly" });
    this._listen(peer, peer.createDataChannel("events"));
    await peer.setLocalDescription();
    await gathered(peer, GATHERING);
    const { sdp, type } = peer.localDescription;
    const answer = await ask(`${SESSIONS}/${this._ticket.id}/offer`, {
      method: "POST",
      json: { sdp, type },
      token: this._ticket.token,
      signal: this._abort.signal,
    });
    await peer.setRemoteDescription(answer);
    await this._connected(peer);
  }

  _listen(peer, channel) {
    this._channel = channel;
    channel.addEventListener("message", ({ data }) => this._hear(data));
    channel.addEventListener("close", () => {
      if (!this._over) this._ticket = null;
      this._finish({ error: new Problem("SESSION_BROKEN") });
    });
    peer.addEventListener("track", ({ streams, track }) => {
      this._emit("stream", streams[0] ?? new MediaStream([track]));
    });
    peer.addEventListener("connectionstatechange", () => this._watch(peer.connectionState));
  }

  _hear(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return; // not for us
    }
    if (typeof event?.type !== "string" || this._over) return;
    this._emit("event", event);
    if (event.type !== "bye") return;
    this._ticket = null; // the server has ended it: there is nothing to give back
    if (event.reason === SERVER_STOPS) this._finish({ error: new Problem("SERVER_STOPPING") });
    else this._finish({ reason: String(event.reason ?? "") });
  }

  _connected(peer) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(new Problem("CONNECT_FAILED")), CONNECTING);
      const settle = (error) => {
        clearTimeout(timer);
        peer.removeEventListener("connectionstatechange", look);
        if (error) reject(error);
        else resolve();
      };
      const look = () => {
        if (this._over) settle(new DOMException("ended", "AbortError"));
        else if (peer.connectionState === "connected") settle(null);
        else if (peer.connectionState === "failed") settle(new Problem("CONNECT_FAILED"));
      };
      peer.addEventListener("connectionstatechange", look);
      this._abort.signal.addEventListener("abort", () => settle(new DOMException("ended", "AbortError")));
      look();
    });
  }

  /** A short blackout survives: the connection comes back by itself, or is given up when the server has given it up. */
  _watch(state) {
    clearTimeout(this._patience);
    if (this._over || !this._joined(state)) return;
    if (state === "connected") this._emit("link", "connected");
    else if (state === "disconnected") {
      this._emit("link", "weak");
      this._patience = setTimeout(() => this._finish({ error: new Problem("SESSION_LOST") }), SILENT);
    } else this._finish({ error: new Problem("SESSION_LOST") });
  }

  _joined(state) {
    this._wasConnected ||= state === "connected";
    return this._wasConnected;
  }

  _finish(detail) {
    if (this._over) return;
    const joined = this._wasConnected;
    this._close(); // a join that is under way throws
    if (joined) this._emit("over", detail);
  }

  _close() {
    this._over = true;
    clearTimeout(this._patience);
    this._abort.abort();
    const peer = this._peer;
    if (this._ticket) this._giveBack().finally(() => peer?.close());
    else peer?.close();
  }

  /** Tell the server that we are gone, also when the page is being left; it would find out by itself, but later. */
  async _giveBack() {
    const { id, token } = this._ticket;
    this._ticket = null;
    try {
      await ask(`${SESSIONS}/${id}`, { method: "DELETE", token, keepalive: true, timeout: 2000 });
    } catch {
      /* gone already, or out of reach */
    }
  }

  _emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Wait until all candidates are known, or long enough: the server takes an offer only as a whole. */
function gathered(peer, patience) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, patience);
    function done() {
      clearTimeout(timer);
      peer.removeEventListener("icegatheringstatechange", look);
      resolve();
    }
    function look() {
      if (peer.iceGatheringState === "complete") done();
    }
    peer.addEventListener("icegatheringstatechange", look);
  });
}
