// <viewer-pair>: two viewers of one case that show the same slices, threshold, window and crosshair. The first one
// has the controls and the keys, and writes the address.

class ViewerPair extends HTMLElement {
  connectedCallback() {
    this.addEventListener("viewer-ready", () => this.#join());
  }

  // Once both are there. The map that reaches higher decides where the threshold of both begins.
  #join() {
    const [first, second] = this.querySelectorAll("case-viewer");
    if (!first.hasAttribute("ready") || !second.hasAttribute("ready")) return;
    const threshold = Math.max(first.start.threshold, second.start.threshold);
    const hotter = first.volumes.map ? first : second;
    const start = { ...hotter.start, threshold };
    for (const [one, other] of [[first, second], [second, first]]) {
      one.partner = other;
      one.open(start);
    }
    this.setAttribute("ready", "");
  }
}

customElements.define("viewer-pair", ViewerPair);
