// The scan as a body with the anomaly map in it, drawn by NiiVue. This file is loaded when somebody asks for it,
// and NiiVue, which is large, with it.

import { Niivue, NVImage } from "../dist/niivue.js";
import { heat } from "./drawing.js";

const UINT8 = 2; // in NIfTI
const ONLY_3D = 4; // of NiiVue's kinds of slices
const FROM = { azimuth: 110, elevation: 15, scale: 1.3 };
const STEP = 10; // degrees, for keys
const [SMALLEST, LARGEST] = [0.5, 4];
const OPTIONS = {
  sliceType: ONLY_3D, interactive: false, dragAndDropEnabled: false, isOrientCube: true, isAntiAlias: false,
  backColor: [0, 0, 0, 1], crosshairColor: [1, 1, 1, 0.8], crosshairWidth: 0.5, loadingText: "", logLevel: "silent",
};

export class Solid {
  // `stage` holds a canvas and has a height; `viewer` has `state` and `volumes`.
  constructor(stage, viewer) {
    this.stage = stage;
    this.viewer = viewer;
    this.view = new Niivue({ ...OPTIONS });
  }

  // Draw for the first time; fails where WebGL does.
  async open() {
    const { view, viewer } = this;
    await view.attachToCanvas(this.stage.querySelector("canvas"), false);
    view.addColormap("moodarena", colours(this.viewer.state));
    view.addVolume(await this.#image("scan", "gray"));
    if (viewer.volumes.map) view.addVolume(await this.#image("map", "moodarena"));
    view.setRenderAzimuthElevation(FROM.azimuth, FROM.elevation);
    view.setScale(FROM.scale);
    this.#listen();
    this.follow();
  }

  // In millimetres, with the middle of the volume at 0.
  #image(layer, colours) {
    const { shape, spacing } = this.viewer.volumes;
    const [x, y, z] = shape.map((count, axis) => -(count / 2) * spacing[axis]);
    const affine = [spacing[0], 0, 0, x, 0, spacing[1], 0, y, 0, 0, spacing[2], z, 0, 0, 0, 1];
    const file = NVImage.createNiftiArray(shape, spacing, affine, UINT8, this.viewer.volumes[layer]);
    return NVImage.new(file.buffer, `${layer}.nii`, colours, 1);
  }

  // Show what the planes show: the same threshold, window, layers and point.
  follow() {
    const { view, viewer } = this;
    const { state, volumes } = viewer;
    const [scan, map] = view.volumes;
    const low = state.level - state.width / 2;
    Object.assign(scan, { cal_min: 255 * low, cal_max: 255 * (low + Math.max(state.width, 0.004)) });
    scan.opacity = state.scan ? 1 : 0;
    if (map) {
      view.addColormap("moodarena", colours(state));
      Object.assign(map, { cal_min: 0, cal_max: 255, opacity: state.map ? 1 : 0 });
    }
    view.opts.show3Dcrosshair = state.crosshair;
    view.scene.crosshairPos = state.at.map((index, axis) => (index + 0.5) / volumes.shape[axis]);
    view.updateGLVolume();
  }

  #listen() {
    const { stage } = this;
    stage.addEventListener("keydown", (event) => this.#steer(event));
    stage.addEventListener("wheel", (event) => this.#resize(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => stage.setPointerCapture(event.pointerId));
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) this.#turn(event.movementX, event.movementY);
    });
  }

  #turn(across, up) {
    const { renderAzimuth, renderElevation } = this.view.scene;
    const elevation = Math.min(Math.max(renderElevation + up, -90), 90);
    this.view.setRenderAzimuthElevation(renderAzimuth - across, elevation);
  }

  #scale(factor) {
    const scale = this.view.scene.volScaleMultiplier * factor;
    this.view.setScale(Math.min(Math.max(scale, SMALLEST), LARGEST));
  }

  #steer(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turns = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const sizes = { "+": 1.1, "-": 1 / 1.1 };
    if (turns[event.key]) this.#turn(...turns[event.key]);
    else if (sizes[event.key]) this.#scale(sizes[event.key]);
    else return;
    event.preventDefault();
  }

  #resize(event) {
    if (event.ctrlKey || !this.stage.contains(document.activeElement)) return; // else it scrolls the page
    event.preventDefault();
    this.#scale(event.deltaY < 0 ? 1.1 : 1 / 1.1);
  }
}

// The colours of the planes, as NiiVue wants them; what lies below the threshold is not there.
function colours({ threshold, opacity }) {
  const levels = Array.from({ length: 256 }, (_, level) => level);
  const [R, G, B] = [0, 1, 2].map((channel) => levels.map((level) => Math.round(heat(level)[channel])));
  const seen = (level) => level > 0 && level / 255 >= threshold;
  return { R, G, B, A: levels.map((level) => (seen(level) ? Math.round(255 * opacity) : 0)), I: levels };
}
