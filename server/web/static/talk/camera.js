/* The webcam, for one picture. */

const SIZE = { width: { ideal: 1280 }, height: { ideal: 960 }, facingMode: "user" };
const TEXTS = {
  NotFoundError: "No camera found. Connect one, or choose a photo instead.",
  NotReadableError: "The camera is in use by another program. Close it there, or choose a photo instead.",
  NotAllowedError: "The camera was not allowed. Allow it beside the address, or choose a photo instead.",
};

export class Camera {
  constructor(video) {
    this._video = video;
    this._stream = null;
  }

  /** Show the camera. Throws Error with a text for people. */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error(TEXTS.NotFoundError);
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: SIZE, audio: false });
    } catch (error) {
      throw new Error(TEXTS[error.name] ?? "The camera does not work. Choose a photo instead.");
    }
    this.close();
    this._stream = stream;
    this._video.srcObject = stream;
    await this._video.play();
  }

  /** What it sees now, as a JPEG. Throws Error with a text for people. */
  async take() {
    const { videoWidth: width, videoHeight: height } = this._video;
    if (!width) throw new Error("The camera shows nothing yet. Wait a moment and try again.");
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").drawImage(this._video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    if (!blob) throw new Error("The picture could not be taken. Try again.");
    return blob;
  }

  close() {
    for (const track of this._stream?.getTracks() ?? []) track.stop();
    this._stream = null;
    this._video.srcObject = null;
  }
}
