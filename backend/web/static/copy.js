// <copy-text>: a button beside a command or a secret that copies it.

class CopyText extends HTMLElement {
  connectedCallback() {
    if (!navigator.clipboard || this.querySelector("button")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet small";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${this.getAttribute("what") ?? "the command"}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.querySelector("code").textContent.trim());
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    this.append(button);
  }
}

customElements.define("copy-text", CopyText);
