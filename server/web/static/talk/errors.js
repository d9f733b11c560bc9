/* A text for every failure: what it is, and what to do about it. */

import { ApiError } from "../shared/http.js";

/** A failure of the page's own finding; `code` is a key of PROBLEMS. */
export class Problem extends Error {
  constructor(code, detail = "") {
    super(detail || code);
    this.name = "Problem";
    this.code = code;
  }
}

const RETRY = { does: "retry", text: "Try again" };
const TYPE = { does: "type", text: "Type instead" };
const RELOAD = { does: "reload", text: "Load the page again" };
const CHOOSE = { does: "choose", text: "Choose someone else" };

/** By code: title, what to do, and the buttons, the most useful first. */
export const PROBLEMS = Object.freeze({
  MIC_NONE: {
    title: "No microphone found",
    text: "Connect a microphone or a headset and try again. You can also type, and listen to the answers.",
    actions: [RETRY, TYPE],
  },
  MIC_DENIED: {
    title: "The microphone is blocked",
    text: "Allow it for this site: click the icon beside the address, set Microphone to Allow, then try again.",
    actions: [RETRY, TYPE],
  },
  MIC_DISMISSED: {
    title: "The microphone was not allowed",
    text: "The agent can only hear you with it. Try again and choose Allow when the browser asks.",
    actions: [RETRY, TYPE],
  },
  MIC_BLOCKED_BY_SYSTEM: {
    title: "The system blocks the microphone",
    text: "Allow the microphone for this browser in the system’s privacy settings, then try again.",
    actions: [RETRY, TYPE],
  },
  MIC_IN_USE: {
    title: "The microphone is in use",
    text: "Another program may be holding it. Close other calls and recorders, then try again.",
    actions: [RETRY, TYPE],
  },
  MIC_FAILED: {
    title: "The microphone does not work",
    text: "Unplug it and plug it in again, or choose another one under Devices.",
    actions: [RETRY, TYPE],
  },
  INSECURE_CONTEXT: {
    title: "This address is not secure",
    text: "Browsers give the microphone to secure pages only. Open this page over https, or as http://localhost on the machine that runs the server.",
    actions: [],
  },
  NO_WEBRTC: {
    title: "This browser cannot make calls",
    text: "It has no WebRTC, or it is switched off. Use a current Firefox, Chrome, Edge or Safari, or switch it on in the settings.",
    actions: [RELOAD],
  },
  OFFLINE: {
    title: "You are offline",
    text: "Connect to the network; then try again.",
    actions: [RETRY],
  },
  SERVER_UNREACHABLE: {
    title: "The server does not answer",
    text: "It may be stopped or starting. Wait a moment and try again; if you run it yourself, look at its terminal.",
    actions: [RETRY],
  },
  CONNECT_FAILED: {
    title: "No connection for the call",
    text: "The page reaches the server, but sound cannot pass: a firewall or VPN may block UDP. Try another network, or ask the operator to set up a TURN server.",
    actions: [RETRY],
  },
  SERVER_FULL: {
    title: "All lines are busy",
    text: "The server holds as many conversations as it can. A place may be free in a moment.",
    actions: [RETRY],
    countdown: true,
  },
  RATE_LIMITED: {
    title: "Too many conversations from here",
    text: "Your address has as many conversations as it may. End another one, or wait a moment.",
    actions: [RETRY],
    countdown: true,
  },
  SERVICE_UNAVAILABLE: {
    title: "The server is not ready",
    text: "It is starting or stopping. Try again in a moment.",
    actions: [RETRY],
    countdown: true,
  },
  SESSION_LOST: {
    title: "The connection was lost",
    text: "The network between you and the server broke off. What was said is still here; begin anew when you are back.",
    actions: [RETRY],
  },
  SESSION_BROKEN: {
    title: "The conversation broke off",
    text: "The server closed it without a word, so something went wrong there. Begin anew; if it happens again, tell the operator.",
    actions: [RETRY],
  },
  SERVER_STOPPING: {
    title: "The server is stopping",
    text: "It was shut down or restarted, and the conversation ended with it. Try again in a moment.",
    actions: [RETRY],
  },
  TOKEN_EXPIRED: {
    title: "That took too long",
    text: "The place kept for you has been given up. Ask for a new one.",
    actions: [RETRY],
  },
  PAGE_EXPIRED: {
    title: "This page is out of date",
    text: "It was open for too long, or the server was restarted. Load it again, and go on.",
    actions: [RELOAD],
  },
  NOT_OPEN: {
    title: "Nobody here talks to visitors yet",
    text: "Open this page on the machine that runs the server, or let the operator list agents for everybody in VISAVIS_WEB__PUBLIC_AGENTS.",
    actions: [RELOAD],
  },
  NO_AGENTS: {
    title: "There is no agent yet",
    text: "The operator adds agents in configs/agents; then load the page again.",
    actions: [RELOAD],
  },
  AGENT_NOT_FOUND: {
    title: "This agent is gone",
    text: "It was removed or renamed. Choose someone else.",
    actions: [CHOOSE],
  },
  FORBIDDEN: {
    title: "This agent is not open to you",
    text: "It needs an API key. Choose someone else, or ask the operator.",
    actions: [CHOOSE],
  },
  SERVER_ERROR: {
    title: "Something went wrong on the server",
    text: "The reason is in its log. Try again; if it stays, tell the operator.",
    actions: [RETRY],
  },
  PAGE_ERROR: {
    title: "Something went wrong on this page",
    text: "Load it again. If it stays, tell the operator which browser you use.",
    actions: [RELOAD],
  },
});

const ALIASES = {
  UNAUTHORIZED: "PAGE_EXPIRED",
  SESSION_NOT_FOUND: "TOKEN_EXPIRED",
  ALREADY_JOINED: "TOKEN_EXPIRED",
  INVALID_OFFER: "NO_WEBRTC",
};

/** What to show for an error: {code, title, text, actions, retryAfter}; retryAfter in seconds or null. */
export function describe(error) {
  const code = codeOf(error);
  const { countdown = false, ...shown } = PROBLEMS[code];
  const retryAfter = error instanceof ApiError ? error.retryAfter : null;
  return { code, ...shown, retryAfter: countdown ? (retryAfter ?? 5) : null };
}

function codeOf(error) {
  if (error instanceof Problem && error.code in PROBLEMS) return error.code;
  if (!(error instanceof ApiError)) return "PAGE_ERROR";
  const code = ALIASES[error.code] ?? error.code;
  if (code in PROBLEMS) return code;
  if (error.status === 503) return "SERVICE_UNAVAILABLE";
  if (error.status === 429) return "RATE_LIMITED";
  return "SERVER_ERROR";
}
