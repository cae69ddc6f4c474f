// Builds what browsers get of other people's work, from node_modules into the folder that is named:
// htmx with its extension for event streams and our few lines in one script, Pico CSS in a layer of its own
// (so that every rule of ours wins), NiiVue for the 3-D view, which is loaded on demand only, and the licences.
// Beside each text lie copies that were compressed once, as well as it gets.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, transformSync } from "esbuild";

const [folder] = process.argv.slice(2);
const SCRIPTS = [
  "node_modules/htmx.org/dist/htmx.js",
  "node_modules/htmx.org/dist/ext/hx-sse.js",
  "backend/web/static/live.js",
];
const STYLE = "node_modules/@picocss/pico/css/pico.css";
const SHIPPED = ["htmx.org", "@picocss/pico"];
// NiiVue's package has no text of its licence, so that is kept here.
const KEPT = { "@niivue/niivue": "setup/licences/niivue.txt" };
// Parts of Pico that no page of ours uses, a fourth of it: components, and looks that are chosen by an attribute.
const UNUSED = new RegExp(
  String.raw`\[data-tooltip|dropdown|\[role=switch\]|:host\(|\[data-theme=|modal|\[type=color\]|\[type=reset\]|\.outline` +
  String.raw`|\.secondary|\.contrast|\.container-fluid|\[dir=rtl\]|breadcrumb|hgroup|iframe|audio|video|\.overflow-auto|\.grid`,
);
const NOTE = "/* With work of others; their licences: licences.txt */\n";

const read = (path) => readFileSync(path, "utf8");
const write = (name, content) => writeFileSync(join(folder, name), content);
const minified = (text, loader) => transformSync(text, { loader, minify: true, target: "es2022" }).code;

// Our policy lets no picture come from within a style sheet, so Pico's icons become files.
function withIconsAsFiles(css) {
  return css.replace(/url\("data:image\/svg\+xml,([^"]*)"\)/g, (_, icon) => {
    const svg = decodeURIComponent(icon);
    const name = `icon-${createHash("sha256").update(svg).digest("hex").slice(0, 8)}.svg`;
    write(name, svg);
    return `url("${name}")`;
  });
}

// The rules of a style sheet without selectors that are unused. `:not([data-theme=dark])` always holds here.
function trimmed(css) {
  const kept = [];
  for (const { head, body } of blocks(css)) {
    if (/^@(media|supports)/.test(head)) kept.push([head, trimmed(body)]);
    else if (head.startsWith("@")) kept.push([head, body]);
    else kept.push([selectors(head).filter(isUsed).join(","), body]);
  }
  return kept.map(([head, body]) => (head && body.trim() ? `${head}{${body}}` : "")).join("");
}

const isUsed = (selector) => !UNUSED.test(selector.replaceAll(":not([data-theme=dark])", ""));

function* blocks(css) {
  const text = css.replace(/\/\*[^]*?\*\//g, "");
  for (let start = 0, open = text.indexOf("{"); open >= 0; open = text.indexOf("{", start)) {
    let end = open + 1;
    for (let depth = 1; depth; end++) depth += { "{": 1, "}": -1 }[text[end]] ?? 0;
    yield { head: text.slice(start, open).trim(), body: text.slice(open + 1, end - 1) };
    start = end;
  }
}

// Parted at commas that are not within brackets.
function selectors(head) {
  const found = [""];
  let depth = 0;
  for (const sign of head) {
    depth += { "(": 1, "[": 1, ")": -1, "]": -1 }[sign] ?? 0;
    if (sign === "," && !depth) found.push("");
    else found[found.length - 1] += sign;
  }
  return found.map((selector) => selector.trim());
}

function writePacked(name, text) {
  write(name, text);
  write(`${name}.br`, brotliCompressSync(text));
  write(`${name}.gz`, gzipSync(text, { level: 9 }));
}

// The part of NiiVue that draws; it reads no Zarr here, whose reader would be as large again. Its two pictures,
// which are addresses of data, become files like Pico's icons.
async function bundled() {
  const { outputFiles, metafile } = await build({
    stdin: { contents: 'export { Niivue, NVImage } from "@niivue/niivue";', resolveDir: process.cwd() },
    bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none",
    write: false, metafile: true, plugins: [withoutZarr],
  });
  return { text: withPicturesAsFiles(outputFiles[0].text), packages: packagesOf(metafile) };
}

const withoutZarr = {
  name: "without-zarr",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^zarrita$/ }, () => ({ path: "zarrita", namespace: "none" }));
    onLoad({ filter: /.*/, namespace: "none" }, () => ({ contents: "module.exports = {};" }));
  },
};

function withPicturesAsFiles(script) {
  return script.replace(/"data:image\/(png|jpeg);base64,([^"]*)"/g, (_, kind, content) => {
    const name = `picture-${createHash("sha256").update(content).digest("hex").slice(0, 8)}.${kind}`;
    write(name, Buffer.from(content, "base64"));
    return `"/static/dist/${name}"`;
  });
}

// Every package that something of is in a bundle, so that none goes without its licence.
function packagesOf({ inputs }) {
  const paths = Object.keys(inputs).map((path) => path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]);
  return [...new Set(paths.filter(Boolean))].sort();
}

function licence(name) {
  const { version, license } = JSON.parse(read(`node_modules/${name}/package.json`));
  const names = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license"].map((file) => `node_modules/${name}/${file}`);
  return `${name} ${version} (${license})\n\n${readFirst(KEPT[name] ? [KEPT[name]] : names)}`;
}

function readFirst(paths) {
  for (const path of paths) {
    try {
      return read(path);
    } catch (problem) {
      if (problem.code !== "ENOENT") throw problem;
    }
  }
  throw new Error(`none of these is there: ${paths.join(", ")}`);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const layered = trimmed(read(STYLE).replace(/^@charset[^;]*;/, ""));
const viewer = await bundled();
write("licences.txt", [...SHIPPED, ...viewer.packages].map(licence).join("\n\n----------------\n\n"));
writePacked("pico.css", NOTE + minified(withIconsAsFiles(`@layer pico {\n${layered}\n}`), "css"));
writePacked("site.js", NOTE + minified(SCRIPTS.map(read).join("\n;\n"), "js"));
writePacked("niivue.js", NOTE + viewer.text);
