/** Server-sent events that come back by themselves: when the server goes, the page says so and goes on asking. */

const LONGEST_WAIT = 5000;

/**
 * Listen to a stream of events.
 * @param {string} address
 * @param {Object<string, (data: any) => void>} listeners by the name of the event
 * @param {(state: "open"|"waiting"|"refused") => void} [onState]
 * @returns {() => void} ends it
 */
export function listen(address, listeners, onState = showConnection) {
  let source = null;
  let timer = 0;
  let wait = 500;
  let isOver = false;

  function open() {
    source = new EventSource(address);
    source.addEventListener("open", () => {
      wait = 500;
      onState("open");
    });
    source.addEventListener("error", () => {
      onState("waiting");
      // A browser gives up for good after some kinds of refusal: then it is asked anew, ever more seldom.
      if (source.readyState === EventSource.CLOSED) again();
    });
    for (const [name, listener] of Object.entries(listeners)) {
      source.addEventListener(name, (event) => listener(JSON.parse(event.data)));
    }
  }

  function again() {
    clearTimeout(timer);
    if (isOver) return;
    timer = setTimeout(async () => {
      const status = await statusOf();
      if (isOver) return;
      if (status === 401) onState("refused");
      if (status === 0 || status === 401) again();
      else open();
    }, wait);
    wait = Math.min(LONGEST_WAIT, wait * 1.5);
  }

  function close() {
    isOver = true;
    clearTimeout(timer);
    source?.close();
  }

  open();
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  return close;
}

/** Whether the server answers, in the bar at the top. */
export function showConnection(state) {
  const words = {
    open: "connected",
    waiting: "reconnecting …",
    refused: "the token has changed: open the address that the server printed",
  };
  const place = document.getElementById("connection");
  if (!place || place.dataset.state === state) return;
  place.dataset.state = state;
  place.textContent = words[state];
}

async function statusOf() {
  try {
    return (await fetch("/static/base.css", { method: "HEAD" })).status;
  } catch {
    return 0;
  }
}
