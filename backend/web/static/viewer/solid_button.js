// The button for the 3-D view. It asks first whether the browser can draw it, and loads what draws only then.

const SENTENCES = {
  loading: "Loading what draws in three dimensions.",
  missing: "This browser offers no WebGL 2, without which there is no 3-D view. The three planes need none.",
  failed: "The 3-D view could not be drawn here. The three planes stay as they are.",
};

export class SolidButton {
  // `viewer` has the button and the section that it opens, or neither: where there is no bundle, and in a pair.
  constructor(viewer) {
    this.viewer = viewer;
    this.button = viewer.querySelector("[data-do=solid]");
    this.section = viewer.querySelector(".solid");
    this.button?.addEventListener("click", () => this.#toggle());
  }

  // After what is shown has changed.
  follow() {
    if (this.solid && !this.section.hidden) this.solid.follow();
  }

  async #toggle() {
    const shown = this.section.hidden;
    this.section.hidden = !shown;
    this.button.setAttribute("aria-expanded", shown);
    if (!shown) return;
    if (this.solid) this.solid.follow();
    else if (!this.section.dataset.state) await this.#open();
  }

  async #open() {
    if (!offersWebGL()) {
      this.#tell("missing");
      return;
    }
    this.#tell("loading");
    try {
      const { Solid } = await import("./solid.js");
      const solid = new Solid(this.section.querySelector(".stage-3d"), this.viewer);
      await solid.open();
      this.solid = solid;
      this.#tell("ready");
      performance.mark("first-solid");
    } catch (problem) {
      console.warn("the 3-D view:", problem.message);
      this.#tell("failed");
    }
  }

  #tell(state) {
    this.section.dataset.state = state;
    this.section.querySelector(".told").textContent = SENTENCES[state] ?? "";
  }
}

function offersWebGL() {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return context !== null;
}
