// Builds what browsers get of other people's work, from node_modules into the folder that is named:
// htmx with its extension for event streams and our few lines in one script, Pico CSS in a layer of its own
// (so that every rule of ours wins), and the licences.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";

const [folder] = process.argv.slice(2);
const SCRIPTS = [
  "node_modules/htmx.org/dist/htmx.js",
  "node_modules/htmx.org/dist/ext/hx-sse.js",
  "backend/web/static/live.js",
];
const STYLE = "node_modules/@picocss/pico/css/pico.css";
const SHIPPED = ["htmx.org", "@picocss/pico"];
const NOTE = "/* With work of others; their licences: licences.txt */\n";

const read = (path) => readFileSync(path, "utf8");
const write = (name, text) => writeFileSync(join(folder, name), text);
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

function licence(name) {
  const { version, license } = JSON.parse(read(`node_modules/${name}/package.json`));
  const file = ["LICENSE", "LICENSE.md"].map((file) => `node_modules/${name}/${file}`);
  return `${name} ${version} (${license})\n\n${readFirst(file)}`;
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
const layered = read(STYLE).replace(/^@charset[^;]*;/, "");
write("licences.txt", SHIPPED.map(licence).join("\n\n----------------\n\n"));
write("pico.css", NOTE + minified(withIconsAsFiles(`@layer pico {\n${layered}\n}`), "css"));
write("site.js", NOTE + minified(SCRIPTS.map(read).join("\n;\n"), "js"));
