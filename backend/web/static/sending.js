// Sends one archive in pieces, each of which survives a broken line, a pause and a reload of the page.
// `tell(phase, done, whole, rate)` is called as it goes: phase "reading" or "sending", rate in bytes a second.

import { Sha256 } from "/static/sha256.js";

const READ = 4 << 20;
const FIRST = 1 << 20;
const PIECE_SECONDS = 1;
const TRIES = 8;

export class Cancelled extends Error {}

export class Sending {
  constructor(file, challenge, csrf, known, tell) {
    Object.assign(this, { file, challenge, csrf, known, tell });
    this.paused = null;
    this.cancelled = false;
    this.line = new AbortController();
    this.rate = 0;
  }

  pause() {
    if (this.paused) return;
    const pause = {};
    pause.over = new Promise((resolve) => (pause.end = resolve));
    this.paused = pause;
    this.line.abort();
  }

  goOn() {
    this.paused?.end();
    this.paused = null;
  }

  cancel() {
    this.cancelled = true;
    this.line.abort();
    this.goOn();
  }

  // The upload once it is complete. Throws what went wrong, or Cancelled when that was asked for.
  async run() {
    const sha256 = await this.digest();
    this.upload = await this.begin(sha256);
    let piece = FIRST, tries = 0;
    while (this.upload.state === "open") {
      await this.mayGoOn();
      this.tell("sending", this.upload.offset, this.file.size, this.rate);
      const began = performance.now(), from = this.upload.offset;
      try {
        this.upload = await this.send(from, Math.min(piece, this.upload.chunk));
        piece = this.adapt(this.upload.offset - from, (performance.now() - began) / 1000);
        tries = 0;
      } catch (problem) {
        if (this.cancelled) break;
        if (!this.paused) await this.wait(problem, ++tries);
        await this.mayGoOn();
        this.upload = await this.call("GET", `/uploads/${this.upload.id}`).catch(() => this.upload);
      }
    }
    if (this.cancelled) await this.forget();
    if (this.upload.state !== "complete") throw new Error("The archive arrived damaged. Upload it again.");
    this.tell("sending", this.file.size, this.file.size, this.rate);
    return this.upload;
  }

  async mayGoOn() {
    await this.paused?.over;
    if (this.cancelled) await this.forget();
    if (this.line.signal.aborted) this.line = new AbortController();
  }

  async forget() {
    if (this.upload) await this.call("DELETE", `/uploads/${this.upload.id}`).catch(() => {});
    throw new Cancelled();
  }

  // Pieces take about a second, so that progress is seen and little is sent twice.
  adapt(bytes, seconds) {
    const rate = bytes / Math.max(seconds, 0.001);
    this.rate = this.rate ? 0.7 * this.rate + 0.3 * rate : rate;
    return Math.max(FIRST / 4, Math.min(2 * bytes, Math.round(rate * PIECE_SECONDS)));
  }

  async wait(problem, tries) {
    const lasting = problem.status && problem.status < 500 && problem.status !== 409;
    if (lasting || tries === TRIES) throw problem;
    this.tell("waiting", this.upload.offset, this.file.size, this.rate);
    await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** tries));
  }

  async digest() {
    const sum = new Sha256();
    for (let at = 0; at < this.file.size; at += READ) {
      await this.mayGoOn();
      sum.update(new Uint8Array(await this.file.slice(at, at + READ).arrayBuffer()));
      this.tell("reading", at, this.file.size, 0);
      await new Promise((resolve) => setTimeout(resolve));
    }
    return sum.hex();
  }

  async begin(sha256) {
    const same = this.known.find((upload) => upload.sha256 === sha256);
    if (same) return this.call("GET", `/uploads/${same.id}`);
    const order = { challenge: this.challenge, file_name: this.file.name, size: this.file.size, sha256 };
    const made = await this.call("POST", "/uploads", JSON.stringify(order), { "Content-Type": "application/json" });
    this.known.push({ id: made.id, sha256, name: made.file_name, size: made.size, state: "open" });
    return made;
  }

  send(from, count) {
    const headers = { "Content-Type": "application/octet-stream", "Upload-Offset": String(from) };
    return this.call("PATCH", `/uploads/${this.upload.id}`, this.file.slice(from, from + count), headers, this.line.signal);
  }

  async call(method, path, body, headers = {}, signal = undefined) {
    const own = { ...headers, "X-CSRF-Token": this.csrf };
    const answer = await fetch(`/api/v1${path}`, { method, body, headers: own, signal });
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content;
    const message = content.error?.message ?? `The server answered ${answer.status}.`;
    throw Object.assign(new Error(message), { status: answer.status });
  }
}
