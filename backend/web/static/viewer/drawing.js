// From levels to pixels. Colours of a scan and a map over it come from one table of 256 × 256 entries, so that
// a slice is drawn by looking up: under a millisecond for 128 × 128 voxels.

import { strides } from "./volumes.js";

// Dark red over orange to white: brighter is higher, also for who does not see red and green apart.
const RAMP = [[130, 10, 40], [215, 50, 25], [250, 185, 45], [255, 255, 225]];
const TRUTH = "rgb(0 220 255)";
const CROSSHAIR = "rgb(255 255 255 / 0.6)";
const FAINTEST = 0.45; // share of the opacity that the lowest levels of a map get
const GAP = 7; // pixels around the voxel that the crosshair leaves free

export function heat(level) {
  const position = (level / 255) * (RAMP.length - 1);
  const low = Math.min(Math.floor(position), RAMP.length - 2);
  return RAMP[low].map((value, channel) => value + (position - low) * (RAMP[low + 1][channel] - value));
}

// Colours by `map level * 256 + scan level`, as the pixels of ImageData.
export function colourTable({ scan, map, threshold, opacity, level, width }) {
  const low = level - width / 2;
  const grey = (value) => Math.min(Math.max((value / 255 - low) / Math.max(width, 0.004), 0), 1) * 255;
  const greys = Float32Array.from({ length: 256 }, (_, value) => (scan ? grey(value) : 0));
  const plain = Uint32Array.from(greys, (value) => pixel(value, value, value));
  const table = new Uint32Array(256 * 256);
  for (let value = 0; value < 256; value++) {
    const drawn = map && value > 0 && value / 255 >= threshold;
    table.set(drawn ? mixed(greys, value, opacity) : plain, value * 256);
  }
  return table;
}

function mixed(greys, value, opacity) {
  const share = opacity * (FAINTEST + (1 - FAINTEST) * (value / 255));
  const [red, green, blue] = heat(value).map((channel) => share * channel);
  return Uint32Array.from(greys, (grey) => {
    const under = grey * (1 - share);
    return pixel(under + red, under + green, under + blue);
  });
}

// Opaque, on a machine whose lowest byte comes first, as those with browsers do.
const pixel = (red, green, blue) => (255 << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red);

// The scale of the map's colours; what lies below the threshold is dark.
export function drawRamp(canvas, threshold) {
  const context = canvas.getContext("2d");
  for (let value = 0; value < 256; value++) {
    context.fillStyle = value / 255 >= threshold ? `rgb(${heat(value).map(Math.round).join(" ")})` : "#000";
    context.fillRect(value, 0, 1, 1);
  }
}

// One slice as pixels, the first row on top.
export function fillSlice(pixels, volumes, plane, number, table) {
  const { shape, scan, map } = volumes;
  const steps = strides(shape);
  const columns = shape[plane.across];
  const step = steps[plane.across];
  let pixel = 0;
  for (let row = shape[plane.up] - 1; row >= 0; row--) {
    let voxel = number * steps[plane.axis] + row * steps[plane.up];
    for (let column = 0; column < columns; column++, voxel += step) {
      pixels[pixel++] = table[map ? (map[voxel] << 8) | scan[voxel] : scan[voxel]];
    }
  }
}

// The borders of the truth in a slice as [x, y, x, y] in voxels from the upper left corner.
export function borders({ shape, truth }, plane, number) {
  const steps = strides(shape);
  const [columns, rows] = [shape[plane.across], shape[plane.up]];
  const inside = (column, row) =>
    column >= 0 && row >= 0 && column < columns && row < rows &&
    truth[number * steps[plane.axis] + (rows - 1 - row) * steps[plane.up] + column * steps[plane.across]] > 0;
  const found = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!inside(column, row)) continue;
      if (!inside(column - 1, row)) found.push([column, row, column, row + 1]);
      if (!inside(column + 1, row)) found.push([column + 1, row, column + 1, row + 1]);
      if (!inside(column, row - 1)) found.push([column, row, column + 1, row]);
      if (!inside(column, row + 1)) found.push([column, row + 1, column + 1, row + 1]);
    }
  }
  return found;
}

export function drawBorders(context, lines, wide, high, density) {
  context.strokeStyle = TRUTH;
  context.lineWidth = 1.5 * density;
  context.lineCap = "square";
  context.beginPath();
  for (const [left, top, right, bottom] of lines) {
    context.moveTo(left * wide, top * high);
    context.lineTo(right * wide, bottom * high);
  }
  context.stroke();
}

// Lines through a point, which itself stays free.
export function drawCrosshair(context, x, y, density) {
  const { width, height } = context.canvas;
  const gap = GAP * density;
  context.fillStyle = CROSSHAIR;
  context.fillRect(0, y, x - gap, density);
  context.fillRect(x + gap, y, width, density);
  context.fillRect(x, 0, density, y - gap);
  context.fillRect(x, y + gap, density, height);
}
