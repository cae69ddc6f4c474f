// Keeps #live as the server would draw it now: after an event of the stream, or every so many seconds.
// Without JavaScript the page loads itself anew instead.

const page = location.href;
let stream = null;
let timer = null;

function region() {
  return document.getElementById("live");
}

async function redraw() {
  const answer = await fetch(page, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const drawn = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (!drawn) return;
  const open = [...region().querySelectorAll("details")].map((item) => item.open);
  region().replaceWith(drawn);
  drawn.querySelectorAll("details").forEach((item, index) => { item.open = open[index] ?? item.open; });
}

async function again() {
  try {
    await redraw();
  } catch {
    // The server is away for a moment: what is shown stays, and the next event or turn tries again.
  }
}

function start() {
  const { events, refresh } = region().dataset;
  if (events && !stream) {
    stream = new EventSource(events);
    stream.addEventListener("state", async () => {
      await again();
      if (!region().dataset.events) stop();
    });
  } else if (refresh && !timer) {
    timer = setInterval(async () => {
      await again();
      if (!region().dataset.refresh) stop();
    }, Number(refresh) * 1000);
  }
}

function stop() {
  stream?.close();
  clearInterval(timer);
  stream = timer = null;
}

// A browser keeps six connections to a server: a tab that nobody looks at gives its one back.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
start();
