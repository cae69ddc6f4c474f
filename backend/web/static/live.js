// Beside htmx, which keeps #live as the server would draw it now: an event of the stream asks for it anew.
// A browser keeps six connections to a server, so a tab that nobody looks at opens none (htmx closes them).

const STREAM = "hx-sse:connect";

function say(text) {
  const line = document.getElementById("line");
  if (!line) return;
  line.textContent = text;
  line.hidden = !text;
}

document.addEventListener("htmx:config:request", (event) => {
  if (document.hidden && event.detail.ctx.sourceElement.hasAttribute(STREAM)) event.preventDefault();
});

// Who is no longer signed in is led to the page that asks for it.
document.addEventListener("htmx:before:response", (event) => {
  if (!event.detail.ctx.response.raw.redirected) return;
  event.preventDefault();
  location.reload();
});

for (const name of ["htmx:sse:error", "htmx:error"]) {
  document.addEventListener(name, () => {
    if (!document.hidden) say("The line is broken; trying again …");
  });
}
document.addEventListener("htmx:sse:after:connection", () => say(""));
