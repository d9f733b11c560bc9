/* Make an avatar: a photo or a snapshot, a name and a consent; then it speaks, and can be talked to or discarded. */

import { byId, closable, icon, make } from "../shared/dom.js";
import { ApiError, ask, refusal, unreachable } from "../shared/http.js";
import { AVATARS } from "./agents.js";
import { Camera } from "./camera.js";

const TYPES = ["image/jpeg", "image/png", "image/webp"];
const MOST_BYTES = 10 * 1024 * 1024;
const LONGEST = 60000;
const NO_PREVIEW = "There is no preview to play. You can talk all the same.";

const PHOTO_PROBLEMS = {
  NO_FACE: "No face found. Take a photo that shows one face from the front, in good light.",
  SEVERAL_FACES: "There is more than one face. Crop the photo to one person.",
  FACE_TOO_SMALL: "The face is too small. Come closer, or crop the photo.",
  PROFILE: "The face is turned away. Look straight into the camera.",
  COVERED_MOUTH: "The mouth is covered. Take the hand, mask or microphone away.",
  TOO_BLURRY: "The photo is too blurry. Hold the camera still, in better light.",
  UNSUPPORTED_MEDIA_TYPE: "This is not a picture we can read. Use JPEG, PNG or WebP.",
  PAYLOAD_TOO_LARGE: "The photo is larger than 10 MB. Use a smaller one.",
};
const OTHER_PROBLEMS = {
  OFFLINE: "You are offline. Connect to the network and try again.",
  SERVER_UNREACHABLE: "The server did not answer. Try again in a moment.",
  UNAUTHORIZED: "This page is out of date. Load it again and try once more.",
  FORBIDDEN: "Avatars cannot be made from here: the operator has not opened it to visitors.",
  NOT_FOUND: "This server does not make avatars.",
  METHOD_NOT_ALLOWED: "This server does not make avatars.",
};

export class AvatarMaker {
  /** `made(agent, avatarId)` and `discarded(id)` keep the list of agents; `talk()` begins with the one that was made. */
  constructor({ made, discarded, talk }) {
    this._onMade = made;
    this._onDiscarded = discarded;
    this._talk = talk;
    this._dialog = byId("avatar");
    this._camera = new Camera(byId("camera"));
    this._photo = null;
    this._photoUrl = "";
    this._request = null;
    this._avatar = null;
    closable(this._dialog);
    this._listen();
  }

  open() {
    this._reset();
    this._dialog.showModal();
  }

  _listen() {
    const on = (id, event, action) => byId(id).addEventListener(event, action);
    on("avatar-open", "click", () => this.open());
    on("file-open", "click", () => byId("file").click());
    on("file", "change", ({ target }) => this._takeFile(target.files[0]));
    on("camera-open", "click", () => this._openCamera());
    on("camera-take", "click", () => this._snap());
    on("camera-close", "click", () => this._closeCamera());
    on("consent", "change", () => wrong("consent", ""));
    on("avatar-name", "input", () => wrong("name", ""));
    on("avatar-cancel", "click", () => this._request?.abort());
    on("avatar-discard", "click", () => this._discard());
    on("avatar-talk", "click", () => {
      this._dialog.close();
      this._talk();
    });
    on("avatar-form", "submit", (event) => {
      event.preventDefault();
      this._submit();
    });
    on("preview", "error", () => {
      if (this._avatar && byId("preview").hasAttribute("src")) wrong("made", NO_PREVIEW);
    });
    this._dialog.addEventListener("close", () => this._closed());
    this._acceptDrops(byId("drop"));
  }

  _acceptDrops(area) {
    const over = (state) => area.classList.toggle("drop--over", state);
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    area.addEventListener("dragleave", ({ relatedTarget }) => over(area.contains(relatedTarget)));
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this._takeFile(event.dataTransfer.files[0]);
    });
    // A photo that misses the area must not replace the page.
    for (const name of ["dragover", "drop"]) this._dialog.addEventListener(name, (event) => event.preventDefault());
  }

  _reset() {
    byId("avatar-form").reset();
    for (const field of ["photo", "name", "consent", "avatar", "made"]) wrong(field, "");
    this._setPhoto(null);
    this._closeCamera();
    this._avatar = null;
    this._step("form");
  }

  _step(step) {
    byId("avatar-form").hidden = step !== "form";
    byId("avatar-making").hidden = step !== "making";
    byId("avatar-made").hidden = step !== "made";
  }

  _closed() {
    this._request?.abort();
    this._closeCamera();
    const preview = byId("preview");
    preview.pause();
    preview.removeAttribute("src");
    preview.load();
    byId("avatar-open").focus();
  }

  // The photo

  _takeFile(file) {
    byId("file").value = "";
    if (!file) return;
    if (!TYPES.includes(file.type)) wrong("photo", PHOTO_PROBLEMS.UNSUPPORTED_MEDIA_TYPE);
    else if (file.size > MOST_BYTES) wrong("photo", PHOTO_PROBLEMS.PAYLOAD_TOO_LARGE);
    else {
      this._closeCamera();
      this._setPhoto(file);
      const name = byId("avatar-name");
      if (!name.value) name.focus();
    }
  }

  _setPhoto(photo) {
    URL.revokeObjectURL(this._photoUrl);
    this._photo = photo;
    this._photoUrl = photo ? URL.createObjectURL(photo) : "";
    if (photo) wrong("photo", "");
    byId("photo").hidden = !photo;
    byId("drop-empty").hidden = Boolean(photo);
    byId("file-open").lastElementChild.textContent = photo ? "Choose another photo" : "Choose a photo";
    for (const id of ["photo", "making-photo"]) {
      if (photo) byId(id).src = this._photoUrl;
      else byId(id).removeAttribute("src");
    }
  }

  async _openCamera() {
    wrong("photo", "");
    try {
      await this._camera.open();
    } catch (error) {
      wrong("photo", error.message);
      return;
    }
    if (!this._dialog.open) return void this._camera.close();
    this._showCamera(true);
    byId("camera-take").focus();
  }

  async _snap() {
    try {
      this._setPhoto(await this._camera.take());
    } catch (error) {
      wrong("photo", error.message);
      return;
    }
    this._closeCamera();
    byId("avatar-name").focus();
  }

  _closeCamera() {
    this._camera.close();
    this._showCamera(false);
  }

  _showCamera(shown) {
    byId("camera").hidden = !shown;
    byId("camera-take").hidden = byId("camera-close").hidden = !shown;
    byId("camera-open").hidden = byId("file-open").hidden = shown;
    byId("photo").hidden = shown || !this._photo;
    byId("drop-empty").hidden = shown || Boolean(this._photo);
  }

  // The avatar

  async _submit() {
    const name = byId("avatar-name").value.trim();
    wrong("avatar", "");
    wrong("photo", this._photo ? "" : "Choose a photo, or take one with the camera.");
    wrong("name", name ? "" : "Give it a name.");
    wrong("consent", byId("consent").checked ? "" : "We need this consent before anything is made.");
    const missing = [
      [this._photo, "file-open"],
      [name, "avatar-name"],
      [byId("consent").checked, "consent"],
    ].find(([there]) => !there);
    if (missing) return byId(missing[1]).focus();
    this._step("making");
    this._progress(0);
    try {
      this._show(await this._send(name));
    } catch (error) {
      this._step("form");
      if (error.name !== "AbortError") this._refused(error);
      else byId("avatar-make").focus();
    } finally {
      this._request = null;
    }
    return undefined;
  }

  _refused(error) {
    const text = PHOTO_PROBLEMS[error.code];
    if (text) {
      wrong("photo", text);
      byId("file-open").focus();
      return;
    }
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    wrong("avatar", OTHER_PROBLEMS[error.code] ?? `${error.message}.${wait}`.replace("..", "."));
    byId("avatar-make").focus();
  }

  /** The photo goes as it is; XMLHttpRequest, for fetch cannot tell how much has been sent. */
  _send(name) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this._request = request;
      request.open("POST", `${AVATARS}?${new URLSearchParams({ name })}`);
      request.timeout = LONGEST;
      request.setRequestHeader("content-type", this._photo.type);
      request.setRequestHeader("accept", "application/json");
      request.setRequestHeader("x-visavis-consent", "yes");
      request.upload.addEventListener("progress", ({ loaded, total }) => this._progress(loaded / total));
      request.addEventListener("load", () => {
        try {
          if (request.status >= 300) {
            throw refusal(request.status, request.responseText, request.getResponseHeader("retry-after"));
          }
          resolve(JSON.parse(request.responseText).data);
        } catch (error) {
          reject(error instanceof ApiError ? error : new ApiError(request.status, "BAD_ANSWER", "The server’s answer could not be read"));
        }
      });
      for (const event of ["error", "timeout"]) request.addEventListener(event, () => reject(unreachable()));
      request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
      request.send(this._photo);
    });
  }

  _progress(share) {
    const bar = byId("making-bar");
    const sent = share >= 1;
    byId("making-text").textContent = sent ? "Finding the face and teaching it to speak …" : "Sending the photo …";
    if (sent) bar.removeAttribute("value");
    else bar.value = Math.round(100 * share);
  }

  _show(avatar) {
    this._avatar = avatar;
    this._step("made");
    wrong("made", "");
    const name = byId("avatar-name").value.trim();
    byId("made-text").textContent = `${avatar.name ?? name} is ready.`;
    byId("avatar-talk").lastElementChild.textContent = `Talk with ${avatar.name ?? name}`;
    const warnings = (avatar.warnings ?? []).map((warning) => warning.message ?? warning.error ?? String(warning));
    byId("made-warnings").replaceChildren(...warnings.map((text) => make("li", { class: "warned" }, icon("alert"), text)));
    const preview = byId("preview");
    if (avatar.poster) preview.poster = avatar.poster;
    if (avatar.preview) {
      preview.src = avatar.preview;
      preview.play().catch(() => {
        /* it has controls */
      });
    } else wrong("made", NO_PREVIEW);
    byId("avatar-talk").focus();
    const agent = { id: avatar.agentId, name: avatar.name ?? name, language: "", greeting: "", poster: avatar.poster };
    this._onMade(agent, avatar.id);
  }

  async _discard() {
    const { id, agentId } = this._avatar;
    byId("avatar-discard").disabled = true;
    try {
      await ask(`${AVATARS}/${encodeURIComponent(id)}`, { method: "DELETE" });
      this._onDiscarded(agentId);
      this._dialog.close();
    } catch (error) {
      wrong("made", OTHER_PROBLEMS[error.code] ?? `It could not be discarded: ${error.message}`);
    } finally {
      byId("avatar-discard").disabled = false;
    }
  }
}

/** Say beside a field what is wrong with it; "" for nothing. */
function wrong(field, text) {
  const box = byId(`${field}-wrong`);
  box.hidden = !text;
  box.replaceChildren(...(text ? [icon("alert"), make("span", {}, text)] : []));
  const input = { name: "avatar-name", consent: "consent" }[field];
  if (input) byId(input).setAttribute("aria-invalid", String(Boolean(text)));
}
