// Looks at an archive before a byte of it is sent: its size, what it is packed with, its first entries.
// `inspect` says null where nothing is wrong, else { text, sure }: what is wrong and what to do about it. What
// is not `sure` may be sent all the same: the platform looks at all of it, this looks at the beginning.

const BLOCK = 512;
const PREFIX = 1 << 20;
const ENOUGH = 8 << 20;
const MOST_ENTRIES = 5000;
const AGAIN = "Save the image again: docker save IMAGE | gzip > image.tar.gz";

const PACKED = [
  [[0x50, 0x4b, 0x03, 0x04], "a ZIP file", `The platform reads archives of docker save. ${AGAIN}`],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "packed with xz", "Pack it with gzip instead: xz -dc FILE | gzip > image.tar.gz"],
  [[0x28, 0xb5, 0x2f, 0xfd], "packed with zstd", "Pack it with gzip instead: zstd -dc FILE | gzip > image.tar.gz"],
  [[0x42, 0x5a, 0x68], "packed with bzip2", "Pack it with gzip instead: bzip2 -dc FILE | gzip > image.tar.gz"],
];
const OF_IMAGE = /^(manifest\.json|index\.json)$/;
const USUAL = /^(manifest\.json|index\.json|oci-layout|repositories|blobs(\/.*)?|(sha256:)?[0-9a-f]{64}(\.json|\.tar(\.gz)?|\/.*)?)$/;
const OF_SYSTEM = /^(\.dockerenv|(bin|etc|usr|lib|var|proc|root|sbin)(\/.*)?)$/;

export async function inspect(file, limit) {
  if (!file.size) return sure(`${file.name} is empty. ${AGAIN}`);
  const start = new Uint8Array(await file.slice(0, BLOCK).arrayBuffer());
  const gzip = begins(start, [0x1f, 0x8b]);
  if (limit && file.size > limit) return tooLarge(file, limit, gzip);
  for (const [magic, what, remedy] of PACKED) {
    if (begins(start, magic)) return sure(`${file.name} is ${what}. ${remedy}`);
  }
  return gzip ? inspectGzip(file) : inspectTar(file, fileReader(file), true);
}

export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit && bytes < 100 ? bytes.toPrecision(3) : Math.round(bytes)} ${units[unit]}`;
}

const sure = (text) => ({ text, sure: true });
const doubt = (text) => ({ text, sure: false });
const begins = (bytes, magic) => magic.every((value, at) => bytes[at] === value);

function tooLarge(file, limit, gzip) {
  const less = gzip
    ? "Remove what the image does not need, and start from a smaller base."
    : "Pack it: gzip FILE. If that is not enough, remove what the image does not need.";
  return sure(`${file.name} has ${size(file.size)}, and at most ${size(limit)} are taken. ${less}`);
}

async function inspectGzip(file) {
  const { bytes, whole, damaged } = await unpackedStart(file);
  if (damaged) return sure(`${file.name} is a damaged gzip file, or cut short. ${AGAIN}`);
  const read = async (at, count) => (at + count <= bytes.length ? bytes.subarray(at, at + count) : null);
  read.size = whole ? bytes.length : Infinity;
  const found = await inspectTar(file, read, whole);
  if (found || whole) return found;
  const tail = new DataView(await file.slice(-4).arrayBuffer());
  // The last four bytes of a gzip file say how much it holds; a tar is made of whole blocks.
  if (tail.getUint32(0, true) % BLOCK === 0) return null;
  return doubt(`${file.name} seems to be cut short. ${AGAIN}`);
}

// The first unpacked bytes; `whole` if that is all, `damaged` if it is sure that there is no more to get.
async function unpackedStart(file) {
  const all = file.size <= PREFIX;
  let dry, given = false;
  const isDry = new Promise((resolve) => (dry = () => resolve({ dry: true })));
  const source = new ReadableStream({
    async pull(controller) {
      if (given) return all ? controller.close() : dry();
      given = true;
      controller.enqueue(new Uint8Array(await file.slice(0, PREFIX).arrayBuffer()));
    },
  }, { highWaterMark: 0 });
  const reader = source.pipeThrough(new DecompressionStream("gzip")).getReader();
  const parts = [];
  let length = 0, end = {}, damaged = false;
  try {
    while (!end.done && !end.dry && length < ENOUGH) {
      end = await Promise.race([reader.read(), isDry]);
      if (end.value) length += parts.push(end.value) && end.value.length;
    }
  } catch {
    damaged = all || !length;
  }
  reader.cancel().catch(() => {});
  return { bytes: joined(parts, length), whole: Boolean(end.done), damaged };
}

function joined(parts, length) {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function fileReader(file) {
  const read = async (at, count) =>
    at + count <= file.size ? new Uint8Array(await file.slice(at, at + count).arrayBuffer()) : null;
  read.size = file.size;
  return read;
}

// Walks from header to header as far as `read` goes; `whole`: that is to the end.
async function inspectTar(file, read, whole) {
  const names = [];
  let at = 0, ended = false;
  for (let entries = 0; entries < MOST_ENTRIES; entries++) {
    const header = await read(at, BLOCK);
    if (!header) break;
    if (header.every((value) => value === 0)) {
      ended = true;
      break;
    }
    const entry = entryOf(header);
    if (!entry) {
      if (!names.length) return sure(`${file.name} is no tar archive. ${AGAIN}`);
      return doubt(`${file.name} seems to be damaged after ${names.at(-1)}. ${AGAIN}`);
    }
    if (entry.named) names.push(entry.name);
    if (OF_IMAGE.test(entry.name)) return cutShort(file, read, at, entry);
    at += BLOCK + Math.ceil(entry.size / BLOCK) * BLOCK;
    if (at > read.size) return sure(`${file.name} is cut short: ${entry.name} is not there completely. ${AGAIN}`);
  }
  return judged(file, names, whole && (ended || at >= read.size));
}

function cutShort(file, read, at, entry) {
  if (at + BLOCK + entry.size <= read.size) return null;
  return sure(`${file.name} is cut short: ${entry.name} is not there completely. ${AGAIN}`);
}

function judged(file, names, seenAll) {
  if (names.some((name) => OF_SYSTEM.test(name))) {
    return sure(`${file.name} holds a file system, as docker export writes it, and no image. ${AGAIN}`);
  }
  if (seenAll) return sure(`${file.name} holds no image: there is neither manifest.json nor index.json in it. ${AGAIN}`);
  if (names.length && !names.some((name) => USUAL.test(name))) {
    return doubt(`${file.name} does not begin like an archive of docker save (${names[0]}). ${AGAIN}`);
  }
  return null;
}

function entryOf(header) {
  const text = (from, to) => new TextDecoder().decode(header.subarray(from, to)).replace(/\0.*$/s, "");
  const size = sizeOf(header, text(124, 136));
  if (!Number.isSafeInteger(size) || size < 0 || !sumFits(header, text(148, 156))) return null;
  const kind = String.fromCharCode(header[156] || 48);
  const has = kind === "0" || kind === "7"; // links and folders have no content, whatever they say
  const extended = "xXgLK".includes(kind);
  const name = text(0, 100).replace(/^(\.\/)+/, "").replace(/\/$/, "");
  return { name, size: has || extended || kind === "S" ? size : 0, named: !extended && name !== "" && name !== "." };
}

function sizeOf(header, octal) {
  if (!(header[124] & 0x80)) return parseInt(octal.trim() || "0", 8);
  return header.subarray(125, 136).reduce((value, byte) => value * 256 + byte, 0);
}

function sumFits(header, octal) {
  const sum = header.reduce((total, value, at) => total + (at >= 148 && at < 156 ? 32 : value), 0);
  return parseInt(octal.trim(), 8) === sum;
}
