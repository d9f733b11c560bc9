/* Requests to our own server. Every failure is an ApiError with a code that a text can be found for. */

/** A request that failed. `status` is 0 where there was no answer; `retryAfter` in seconds, null where it was not said. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfter = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** What is wrong where no answer came at all. */
export function unreachable() {
  const code = navigator.onLine === false ? "OFFLINE" : "SERVER_UNREACHABLE";
  return new ApiError(0, code, "The server did not answer");
}

/** The error that a response carries. */
export function refusal(status, text, retryAfter) {
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    /* a proxy's page, perhaps */
  }
  const seconds = Number.parseInt(retryAfter ?? "", 10);
  return new ApiError(
    status,
    typeof body.code === "string" ? body.code : `HTTP_${status}`,
    typeof body.error === "string" ? body.error : `The server answered ${status}`,
    Number.isFinite(seconds) && seconds >= 0 ? seconds : null,
  );
}

/** Ask our server; returns the `data` of its answer (`whole`: all of it), null where it has none. Throws ApiError. */
export async function ask(path, options = {}) {
  const { method = "GET", json, token, signal, timeout = 20000, keepalive = false, whole = false } = options;
  const headers = { accept: "application/json" };
  if (json !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  const signals = [AbortSignal.timeout(timeout), ...(signal ? [signal] : [])];
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: json === undefined ? undefined : JSON.stringify(json),
      signal: AbortSignal.any(signals),
      keepalive,
      credentials: "same-origin",
      cache: "no-store",
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  if (!response.ok) throw refusal(response.status, text, response.headers.get("retry-after"));
  if (!text) return null;
  try {
    const answer = JSON.parse(text);
    return whole ? answer : (answer.data ?? null);
  } catch {
    throw new ApiError(response.status, "BAD_ANSWER", "The server’s answer could not be read");
  }
}
