// <case-viewer>: three linked planes of a toy case. What it shows is `state`; `change` is the one way to alter
// it. Its controls come from a template of the page; the pictures beside it stay for browsers without script.
// One of a pair (pair.js) has a `partner`, which shows the same; the second one has no controls of its own.

import { colourTable, drawRamp } from "./drawing.js";
import { anywhere, listen } from "./keys.js";
import "./pair.js";
import { Plane } from "./plane.js";
import { SolidButton } from "./solid_button.js";
import { LAYERS, fromAddress, opening, toAddress, within } from "./state.js";
import { inFile, load, numbers, offset, peak } from "./volumes.js";

const AXIAL = 2;
const REST = 250; // milliseconds without a change until the address is written and the voxel is spoken
const STEP = 0.05; // of the threshold, for keys

class CaseViewer extends HTMLElement {
  #gone;
  #rest = 0;
  #frame = 0;
  #pointed = null;
  partner = null;

  async connectedCallback() {
    if (this.planes) return;
    this.#gone = new AbortController();
    this.shape = numbers(this.dataset.shape);
    this.spacing = numbers(this.dataset.spacing);
    this.prepend(this.querySelector("template").content.cloneNode(true));
    this.planes = [...this.querySelectorAll(".plane")].map((figure) => new Plane(figure, this));
    this.active = this.planes.find((plane) => plane.axes.axis === AXIAL);
    this.#message.textContent = "Loading the volumes.";
    try {
      this.volumes = await load(this.dataset);
    } catch (problem) {
      this.#fail(problem);
      return;
    }
    this.#begin();
  }

  // The server's own pictures take the place of the planes.
  #fail(problem) {
    const text = `The volumes could not be loaded (${problem.message}). These pictures come from the server.`;
    const told = Object.assign(document.createElement("p"), { className: "notice", role: "alert", textContent: text });
    this.querySelector(".viewer").replaceWith(told);
    this.setAttribute("failed", "");
  }

  disconnectedCallback() {
    this.#gone?.abort();
    clearTimeout(this.#rest);
  }

  #begin() {
    const { map } = this.volumes;
    this.solid = new SolidButton(this);
    this.#listen();
    this.open(opening(numbers(this.dataset.hottest), map ? peak(map) : 0));
    this.#message.textContent = "";
    this.setAttribute("ready", "");
    performance.mark("first-slice");
    this.dispatchEvent(new Event("viewer-ready", { bubbles: true }));
  }

  // Show what the address asks for, and otherwise `start`.
  open(start) {
    this.start = start;
    this.state = fromAddress(location.href, start, this.shape);
    this.paint();
  }

  // Alter the state; pictures follow with the next frame, the address when it rests.
  change(some) {
    if (!this.state) return;
    this.adopt(within({ ...this.state, ...some }, this.start, this.shape));
    this.partner?.adopt(this.state);
  }

  adopt(state) {
    this.state = state;
    this.repaint();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#settle(), REST);
  }

  // Tell the values of a voxel that is pointed at; of the one under the crosshair if null.
  hover(at) {
    for (const viewer of [this, this.partner]) viewer?.point(at);
  }

  point(at) {
    this.#pointed = at;
    if (this.state) this.#tell();
  }

  // The plane that keys are for.
  activate(axis) {
    for (const viewer of [this, this.partner]) {
      if (viewer) viewer.active = viewer.planes.find((plane) => plane.axes.axis === axis);
    }
  }

  repaint() {
    if (this.state) this.#frame ||= requestAnimationFrame(() => this.paint());
  }

  // Draw all planes now.
  paint() {
    this.#frame = 0;
    const table = this.#table();
    for (const plane of this.planes) plane.paint(table);
    this.#show();
    this.#tell();
  }

  // Made anew only when something that it depends on has changed.
  #table() {
    const { scan, map, threshold, opacity, level, width } = this.state;
    const key = [scan, map, threshold, opacity, level, width].join();
    if (this.tableKey !== key) {
      this.table = colourTable(this.state);
      this.tableKey = key;
      const ramp = this.querySelector(".ramp");
      if (ramp) drawRamp(ramp, threshold);
    }
    return this.table;
  }

  #listen() {
    for (const input of this.querySelectorAll("input[name]")) {
      const value = () => (input.type === "checkbox" ? input.checked : Number(input.value));
      input.addEventListener("input", () => this.change({ [input.name]: value() }));
    }
    for (const plane of this.planes) {
      for (const event of ["focusin", "pointerenter"]) {
        plane.figure.addEventListener(event, () => this.activate(plane.axes.axis));
      }
    }
    if (!this.#dialog) return;
    listen(this.closest("viewer-pair") ?? this, this.#keys(), this.#gone.signal);
    this.#buttons();
  }

  #keys() {
    const toggle = (name) => () => this.change({ [name]: !this.state[name] });
    const keys = {
      j: () => this.active.step(-1),
      k: () => this.active.step(1),
      "[": () => this.change({ threshold: this.state.threshold - STEP }),
      "]": () => this.change({ threshold: this.state.threshold + STEP }),
      g: toggle("truth"),
      m: toggle("map"),
      x: toggle("crosshair"),
      h: () => this.change({ at: this.start.at }),
      "?": () => this.#help(),
    };
    const has = (name) => this.querySelector(`input[name=${name}]`);
    const without = [...(has("map") ? "" : "[]mh"), ...(has("truth") ? "" : "g")];
    for (const key of without) delete keys[key];
    return keys;
  }

  #buttons() {
    const find = (name) => this.querySelector(`[data-do=${name}]`);
    const on = (name, act) => find(name)?.addEventListener("click", act);
    on("hottest", () => this.change({ at: this.start.at }));
    on("reset", () => this.change(this.start));
    on("help", () => this.#help());
    on("close", () => this.#dialog.close());
    on("link", () => this.#copy());
    find("link").hidden = !navigator.clipboard;
    find("anywhere").checked = anywhere.get();
    find("anywhere").addEventListener("change", (event) => anywhere.set(event.target.checked));
  }

  get #dialog() {
    return this.querySelector("dialog");
  }

  get #message() {
    return this.querySelector(".message");
  }

  #help() {
    if (this.#dialog.open) this.#dialog.close();
    else this.#dialog.showModal();
  }

  async #copy() {
    this.#settle();
    await navigator.clipboard.writeText(location.href);
    this.#say("The link is copied.");
    this.querySelector("[data-do=link]").textContent = "Copied";
  }

  #settle() {
    clearTimeout(this.#rest);
    this.solid.follow();
    if (!this.#dialog) return; // the other one of the pair has the controls, and tells
    history.replaceState(history.state, "", toAddress(location.href, this.state, this.start));
    this.#say(this.#spoken());
  }

  // To who listens instead of looking.
  #say(text) {
    this.querySelector(".spoken").textContent = text;
  }

  #show() {
    for (const input of this.querySelectorAll("input[name]")) {
      const value = this.state[input.name];
      if (LAYERS.includes(input.name)) input.checked = value;
      else input.value = value;
    }
    for (const name of ["threshold", "opacity", "level", "width"]) this.#set(name, this.state[name].toFixed(2));
  }

  #set(name, text) {
    const place = this.querySelector(`[data-of=${name}]`);
    if (place) place.textContent = text;
  }

  // Values of a voxel by what they are called; null where there is no such layer.
  values(at) {
    const { scan, map, truth } = this.volumes;
    const place = offset(this.shape, at);
    return { scan: scan[place] / 255, map: map && map[place] / 255, truth: truth && truth[place] > 0 };
  }

  #tell() {
    const at = this.#pointed ?? this.state.at;
    const { scan, map, truth } = this.values(at);
    this.#set("where", this.#pointed ? "Under the pointer" : "Under the crosshair");
    this.#set("voxel", this.#voxel(at));
    this.#set("scan-value", scan.toFixed(2));
    this.#set("map-value", map?.toFixed(2));
    this.#set("truth-value", truth ? "anomaly" : "normal");
  }

  #voxel(at) {
    const stored = this.dataset.stored;
    return at.join(", ") + (stored === "RAS" ? "" : ` (in the file ${inFile(this.volumes, at).join(", ")})`);
  }

  #spoken() {
    const { scan, map, truth } = this.values(this.state.at);
    const parts = [`Voxel ${this.#voxel(this.state.at)}`, `scan ${scan.toFixed(2)}`];
    if (map !== null) parts.push(`score ${map.toFixed(2)}`);
    if (truth !== null) parts.push(truth ? "anomaly" : "normal");
    return `${parts.join(", ")}.`;
  }
}

customElements.define("case-viewer", CaseViewer);
