// One of the three planes: a picture that is pointed at, scrolled through and steered with the arrow keys.

import { borders, drawBorders, drawCrosshair, fillSlice } from "./drawing.js";
import { PLANES } from "./volumes.js";

const NOTCH = 50; // pixels of a wheel that are a slice; touch pads send many small turns
const DENSEST = 2; // pixels of a canvas for one of the page

export class Plane {
  // `figure` holds the stage, the slider and the buttons; `viewer` has `state`, `change`, `hover` and `volumes`.
  constructor(figure, viewer) {
    this.figure = figure;
    this.viewer = viewer;
    this.axes = PLANES[Number(figure.dataset.axis)];
    this.stage = figure.querySelector(".stage");
    this.canvas = figure.querySelector("canvas");
    this.slider = figure.querySelector("input");
    const [across, up] = [this.axes.across, this.axes.up].map((axis) => viewer.shape[axis] * viewer.spacing[axis]);
    this.stage.style.setProperty("--ratio", across / up);
    this.#listen();
  }

  get number() {
    return this.viewer.state.at[this.axes.axis];
  }

  step(count) {
    this.#move(this.axes.axis, count);
  }

  focus() {
    this.stage.focus();
  }

  #move(axis, count) {
    const at = [...this.viewer.state.at];
    at[axis] += count;
    this.viewer.change({ at });
  }

  #listen() {
    const { figure, stage, slider, viewer } = this;
    slider.addEventListener("input", () => this.step(Number(slider.value) - this.number));
    for (const button of figure.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => this.step(Number(button.dataset.step)));
    }
    stage.addEventListener("keydown", (event) => this.#steer(event));
    stage.addEventListener("wheel", (event) => this.#scroll(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#grab(event));
    stage.addEventListener("click", (event) => viewer.change({ at: this.#voxel(event) }));
    stage.addEventListener("pointermove", (event) => this.#point(event));
    stage.addEventListener("pointerleave", () => viewer.hover(null));
    new ResizeObserver(() => viewer.repaint()).observe(stage);
  }

  #steer(event) {
    const { across, up, axis } = this.axes;
    const moves = {
      ArrowLeft: [across, -1], ArrowRight: [across, 1], ArrowDown: [up, -1], ArrowUp: [up, 1],
      PageDown: [axis, -10], PageUp: [axis, 10],
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#move(...move);
  }

  #scroll(event) {
    if (event.ctrlKey) return; // that enlarges the page
    event.preventDefault();
    const turned = event.deltaMode ? Math.sign(event.deltaY) * NOTCH : event.deltaY;
    this.turned = (this.turned ?? 0) + turned;
    if (Math.abs(this.turned) < NOTCH) return;
    this.step(-Math.sign(this.turned));
    this.turned = 0;
  }

  #grab(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    // A finger may be about to scroll the page: it sets the crosshair with a tap, or a drag to the side.
    if (event.pointerType === "mouse") this.viewer.change({ at: this.#voxel(event) });
  }

  #point(event) {
    const at = this.#voxel(event);
    if (this.stage.hasPointerCapture(event.pointerId)) this.viewer.change({ at });
    this.viewer.hover(event.pointerType === "mouse" ? at : null);
  }

  // The voxel of this slice that an event points at.
  #voxel(event) {
    const { across, up } = this.axes;
    const { shape, state } = this.viewer;
    const box = this.canvas.getBoundingClientRect();
    const at = [...state.at];
    const inside = (share, count) => Math.min(Math.max(Math.floor(share * count), 0), count - 1);
    at[across] = inside((event.clientX - box.left) / box.width, shape[across]);
    at[up] = shape[up] - 1 - inside((event.clientY - box.top) / box.height, shape[up]);
    return at;
  }

  paint(table) {
    const { volumes, state } = this.viewer;
    const density = Math.min(devicePixelRatio, DENSEST);
    const width = Math.round(this.canvas.clientWidth * density);
    const height = Math.round(this.canvas.clientHeight * density);
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d", { alpha: false });
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#picture(table), 0, 0, width, height);
    const [wide, high] = [width / volumes.shape[this.axes.across], height / volumes.shape[this.axes.up]];
    if (state.truth && volumes.truth) drawBorders(context, this.#borders(), wide, high, density);
    if (state.crosshair) this.#drawCrosshair(context, wide, high, density);
    this.#tell();
  }

  // Filled anew only when the slice or the colours are others: a step in one plane moves the others' crosshair only.
  #picture(table) {
    const { volumes } = this.viewer;
    if (this.drawn?.number === this.number && this.drawn.table === table) return this.picture;
    if (!this.image) {
      const [width, height] = [volumes.shape[this.axes.across], volumes.shape[this.axes.up]];
      this.image = new ImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.picture = Object.assign(document.createElement("canvas"), { width, height });
    }
    fillSlice(this.pixels, volumes, this.axes, this.number, table);
    this.picture.getContext("2d").putImageData(this.image, 0, 0);
    this.drawn = { number: this.number, table };
    return this.picture;
  }

  #borders() {
    if (this.outlined?.number !== this.number) {
      this.outlined = { number: this.number, lines: borders(this.viewer.volumes, this.axes, this.number) };
    }
    return this.outlined.lines;
  }

  #drawCrosshair(context, wide, high, density) {
    const { across, up } = this.axes;
    const { shape, state } = this.viewer;
    const [x, y] = [state.at[across] + 0.5, shape[up] - 0.5 - state.at[up]];
    drawCrosshair(context, Math.round(x * wide), Math.round(y * high), density);
  }

  #tell() {
    this.slider.value = this.number;
    this.figure.querySelector("[data-of=slice]").textContent = this.number;
  }
}
