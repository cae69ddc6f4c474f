// What the viewer shows, and how the address of the page says so: `at` the voxel under the crosshair,
// `threshold`, `opacity`, `window` (level and width), `hide` the layers that are off. Only what differs from
// how the viewer opens is written.

export const LAYERS = ["scan", "map", "truth", "crosshair"];
const SHARES = ["threshold", "opacity", "level", "width"];

// At the hottest slices, with the map from half of its highest value.
export function opening(hottest, peak) {
  const shown = Object.fromEntries(LAYERS.map((name) => [name, true]));
  return { at: hottest, threshold: rounded(peak / 2), opacity: 0.7, level: 0.5, width: 1, ...shown };
}

// The opening with what an address asks for, as far as it makes sense.
export function fromAddress(address, start, shape) {
  const asked = new URL(address).searchParams;
  const state = { ...start, at: [...start.at] };
  const axis = Number(asked.get("axis") ?? 2);
  if (asked.has("slice") && axis in state.at) state.at[axis] = Number(asked.get("slice"));
  if (asked.has("at")) state.at = asked.get("at").split(",").map(Number);
  const [level, width] = (asked.get("window") ?? "").split(",");
  const shares = { threshold: asked.get("threshold"), opacity: asked.get("opacity"), level, width };
  for (const name of SHARES) if (shares[name]) state[name] = Number(shares[name]);
  for (const name of (asked.get("hide") ?? "").split(",")) if (LAYERS.includes(name)) state[name] = false;
  return within(state, start, shape);
}

export function toAddress(address, state, start) {
  const found = new URL(address);
  for (const name of ["axis", "slice", "at", "threshold", "opacity", "window", "hide"]) {
    found.searchParams.delete(name);
  }
  const parts = [`at=${state.at.join(",")}`];
  for (const name of ["threshold", "opacity"]) if (state[name] !== start[name]) parts.push(`${name}=${state[name]}`);
  if (state.level !== start.level || state.width !== start.width) parts.push(`window=${state.level},${state.width}`);
  const hidden = LAYERS.filter((name) => !state[name]);
  if (hidden.length) parts.push(`hide=${hidden.join(",")}`);
  found.search = [found.search.slice(1), ...parts].filter(Boolean).join("&");
  return found;
}

// A state whose figures are possible; what is none falls back to the opening.
export function within(state, start, shape) {
  const found = { ...state };
  found.at = shape.map((count, axis) => {
    const index = Math.round(state.at[axis]);
    return Number.isFinite(index) ? Math.min(Math.max(index, 0), count - 1) : start.at[axis];
  });
  for (const name of SHARES) {
    found[name] = Number.isFinite(state[name]) ? rounded(Math.min(Math.max(state[name], 0), 1)) : start[name];
  }
  return found;
}

const rounded = (share) => Math.round(share * 100) / 100;
