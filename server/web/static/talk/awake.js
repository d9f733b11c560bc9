/* Keeps the screen on while one talks, where the browser can: a phone that sleeps ends the conversation. */

export class Awake {
  constructor() {
    this._wanted = false;
    this._lock = null;
    // The browser takes the lock away whenever the page is hidden.
    document.addEventListener("visibilitychange", () => this._hold());
  }

  request() {
    this._wanted = true;
    this._hold();
  }

  release() {
    this._wanted = false;
    this._lock?.release();
    this._lock = null;
  }

  async _hold() {
    if (!this._wanted || document.visibilityState !== "visible" || !navigator.wakeLock) return;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (this._wanted) this._lock = lock;
      else lock.release();
    } catch {
      /* a battery that is low: the screen sleeps when it wants to */
    }
  }
}
