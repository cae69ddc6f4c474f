// Sends an archive in pieces that survive a broken line; choosing the same file again goes on where it stopped.
// Without JavaScript the form sends it whole.

import { Sha256 } from "/static/sha256.js";

const READ = 4 << 20;
const TRIES = 8;
const form = document.getElementById("upload");
const progress = document.getElementById("progress");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  progress.hidden = false;
  try {
    await send(form.elements.archive.files[0]);
    location.reload();
  } catch (problem) {
    tell(0, problem.message);
    button.disabled = false;
  }
});

function tell(share, text) {
  progress.querySelector("progress").value = share;
  progress.querySelector("[role=status]").textContent = text;
}

async function send(file) {
  const sha256 = await digest(file);
  let upload = await begin(file, sha256);
  for (let tries = 0; upload.state === "open"; ) {
    tell(upload.offset / file.size, `${percent(upload.offset, file.size)} sent`);
    const piece = file.slice(upload.offset, upload.offset + upload.chunk);
    try {
      upload = await call("PATCH", `/uploads/${upload.id}`, piece, {
        "Content-Type": "application/octet-stream",
        "Upload-Offset": String(upload.offset),
      });
      tries = 0;
    } catch (problem) {
      if (++tries === TRIES || (problem.status && problem.status < 500 && problem.status !== 409)) throw problem;
      tell(upload.offset / file.size, "The line is broken; trying again …");
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
      upload = await call("GET", `/uploads/${upload.id}`).catch(() => upload);
    }
  }
  if (upload.state !== "complete") throw new Error("The archive arrived damaged. Upload it again.");
}

async function digest(file) {
  const sum = new Sha256();
  for (let at = 0; at < file.size; at += READ) {
    sum.update(new Uint8Array(await file.slice(at, at + READ).arrayBuffer()));
    tell(at / file.size, `Reading the file: ${percent(at, file.size)}`);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return sum.hex();
}

async function begin(file, sha256) {
  const same = [...document.querySelectorAll("[data-upload]")].find((item) => item.dataset.sha256 === sha256);
  if (same) return call("GET", `/uploads/${same.dataset.upload}`);
  const order = { challenge: form.dataset.challenge, file_name: file.name, size: file.size, sha256 };
  return call("POST", "/uploads", JSON.stringify(order), { "Content-Type": "application/json" });
}

async function call(method, path, body, headers = {}) {
  const answer = await fetch(`/api/v1${path}`, {
    method,
    body,
    headers: { ...headers, "X-CSRF-Token": form.elements.csrf.value },
  });
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  const message = content.error?.message ?? `The server answered ${answer.status}.`;
  throw Object.assign(new Error(message), { status: answer.status });
}

function percent(part, whole) {
  return `${Math.floor((100 * part) / whole)} %`;
}
