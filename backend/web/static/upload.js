// <archive-upload>: around the plain form, which sends the file whole where there is no JavaScript. Files are
// dropped or chosen, looked at, and sent in pieces; what was begun before goes on with the same file.

import { inspect, size } from "/static/preflight.js";
import { Cancelled, Sending } from "/static/sending.js";

const TOLD = { reading: "Reading the file", sending: "Sending", waiting: "The line is broken; trying again …" };

class ArchiveUpload extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.input = this.form.elements.archive;
    this.start = this.form.querySelector("button");
    this.progress = this.querySelector(".progress");
    this.verdict = this.querySelector(".verdict");
    this.known = [...document.querySelectorAll("[data-upload]")].map(({ dataset }) => ({
      id: dataset.upload, sha256: dataset.sha256, name: dataset.name, size: Number(dataset.size), state: dataset.state,
    }));
    this.input.addEventListener("change", () => this.look());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    for (const [name, action] of [["pause", () => this.pause()], ["cancel", () => this.sending?.cancel()]]) {
      this.querySelector(`button.${name}`).addEventListener("click", action);
    }
    this.takeDrops();
    this.setAttribute("ready", "");
    if (this.input.files.length) this.look(); // a browser may keep the choice over a reload
  }

  takeDrops() {
    this.addEventListener("dragover", (event) => {
      if (this.sending) return;
      event.preventDefault();
      this.toggleAttribute("over", true);
    });
    this.addEventListener("dragleave", () => this.toggleAttribute("over", false));
    this.addEventListener("drop", (event) => {
      event.preventDefault();
      this.toggleAttribute("over", false);
      if (this.sending || !event.dataTransfer.files.length) return;
      this.input.files = event.dataTransfer.files;
      this.look();
    });
  }

  // What the chosen file looks like; resolves to whether it may be sent.
  async look() {
    const file = this.input.files[0];
    this.problem = file ? await inspect(file, Number(this.dataset.limit)).catch(unreadable) : null;
    if (file !== this.input.files[0]) return false; // another one was chosen meanwhile
    this.looked = file;
    this.start.textContent = this.problem ? "Upload anyway" : this.waiting(file) ? "Go on with the upload" : "Upload";
    this.start.hidden = Boolean(this.problem?.sure);
    if (this.problem) this.say(this.problem.text, this.problem.sure ? "problem" : "notice");
    else this.say(file ? this.welcome(file) : "");
    return Boolean(file) && !this.problem?.sure;
  }

  waiting(file) {
    return this.known.find((upload) => upload.state === "open" && file && upload.size === file.size && upload.name === file.name);
  }

  welcome(file) {
    const other = this.known.find((upload) => upload.state === "open" && upload.name === file.name && upload.size !== file.size);
    if (other) return `This is another file than the ${file.name} that waits: that one has ${size(other.size)}. It is sent from its beginning.`;
    return `${file.name}, ${size(file.size)}: looks like a saved image.`;
  }

  say(text, kind = "quiet") {
    this.verdict.className = `verdict ${kind}`;
    this.verdict.textContent = text;
  }

  async send() {
    const file = this.input.files[0];
    if (this.sending || (this.looked !== file && !(await this.look()))) return;
    const csrf = this.form.elements.csrf.value;
    this.sending = new Sending(file, this.dataset.challenge, csrf, this.known, (...how) => this.tell(...how));
    this.busy(true);
    this.say("");
    try {
      await this.sending.run();
      location.reload();
    } catch (problem) {
      if (problem instanceof Cancelled) return location.reload();
      this.busy(false);
      this.sending = null;
      const refused = problem.status && problem.status < 500;
      this.start.textContent = this.waiting(file) && !refused ? "Go on with the upload" : "Upload";
      this.say(refused ? problem.message : `${problem.message} What has arrived stays.`, "problem");
    }
  }

  busy(sending) {
    this.progress.hidden = !sending;
    this.start.hidden = sending;
    this.input.disabled = sending;
  }

  pause() {
    const button = this.querySelector("button.pause");
    if (this.sending.paused) {
      this.sending.goOn();
      button.textContent = "Pause";
    } else {
      this.sending.pause();
      button.textContent = "Go on";
      this.progress.querySelector(".figures").textContent = "Paused.";
    }
  }

  tell(phase, done, whole, rate) {
    this.progress.querySelector("progress").value = done / whole;
    const left = phase === "sending" && rate ? `, ${size(rate)}/s, ${duration((whole - done) / rate)} left` : "";
    const percent = `${Math.floor((100 * done) / whole)} %`;
    const figures = phase === "waiting" ? "" : `${percent} of ${size(whole)}${left}`;
    this.progress.querySelector(".figures").textContent = figures;
    const status = this.progress.querySelector("[role=status]"); // a screen reader hears the phase, not each figure
    if (status.textContent !== TOLD[phase]) status.textContent = TOLD[phase];
  }
}

const unreadable = () => ({ text: "The file cannot be read here. Choose it again.", sure: true });

function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
}

customElements.define("archive-upload", ArchiveUpload);
