// Single keys. Whoever types with speech or strays easily can confine them to the viewer, in its help.

const KEPT = "viewer-keys-anywhere";
const TYPED = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]";

export const anywhere = {
  get: () => localStorage.getItem(KEPT) !== "no",
  set: (yes) => localStorage.setItem(KEPT, yes ? "yes" : "no"),
};

// Calls `actions[key]` for keys of the page; `signal` ends it.
export function listen(viewer, actions, signal) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!Object.hasOwn(actions, event.key) || event.target.matches(TYPED)) return;
    if (!anywhere.get() && !viewer.contains(event.target)) return;
    event.preventDefault();
    actions[event.key]();
  }, { signal });
}
