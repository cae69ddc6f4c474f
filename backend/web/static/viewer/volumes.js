// Volumes of a toy case: a byte a voxel, x fastest, axes right, anterior and superior.

// For each axis: which axes its plane shows from left to right and from bottom to top.
export const PLANES = [
  { axis: 0, across: 1, up: 2 },
  { axis: 1, across: 0, up: 2 },
  { axis: 2, across: 0, up: 1 },
];

const NAMES = { image: "scan", map: "map", mask: "truth" };

const asked = new Map(); // by address: the two viewers of a pair show one scan

// The grid of a case and its layers `scan`, `map` and `truth`, each a Uint8Array or null. Of a pair, scan and truth
// lie at `common`.
export async function load({ volumes, common, layers, shape, spacing, stored }) {
  const grid = { shape: numbers(shape), spacing: numbers(spacing), stored, scan: null, map: null, truth: null };
  const names = layers.split(" ");
  const address = (name) => `${name === "map" ? volumes : (common ?? volumes)}/${name}`;
  const loaded = await Promise.all(names.map((name) => fetchOnce(address(name), grid.shape)));
  names.forEach((name, index) => (grid[NAMES[name]] = loaded[index]));
  return grid;
}

export const numbers = (text) => text.split(",").map(Number);

function fetchOnce(address, shape) {
  if (!asked.has(address)) asked.set(address, fetchVolume(address, shape));
  return asked.get(address);
}

async function fetchVolume(address, [x, y, z]) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const voxels = new Uint8Array(await answer.arrayBuffer());
  if (voxels.length !== x * y * z) throw new Error(`${voxels.length} of ${x * y * z} voxels came`);
  return voxels;
}

export function strides([x, y]) {
  return [1, x, x * y];
}

// Where a voxel lies in the arrays.
export function offset(shape, at) {
  const steps = strides(shape);
  return at[0] + at[1] * steps[1] + at[2] * steps[2];
}

// The indices that the voxel has in the file, whose axes may point elsewhere (`stored`, such as "LPS").
export function inFile({ shape, stored }, at) {
  return [...stored].map((end) => {
    const axis = ["RL", "AP", "SI"].findIndex((ends) => ends.includes(end));
    return "LPI".includes(end) ? shape[axis] - 1 - at[axis] : at[axis];
  });
}

export function peak(voxels) {
  let highest = 0;
  for (let index = 0; index < voxels.length; index++) if (voxels[index] > highest) highest = voxels[index];
  return highest / 255;
}
