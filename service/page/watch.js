// Follows a top-up until it is settled: by the server's events, and by asking where none arrive.

import { address, Failure, get } from "./api.js";

const ASK_EVERY_MS = 2_000;
// The first event comes at once; a proxy that holds events back is told by its silence.
const SILENCE_MS = 3_000;

// Calls `tell` with the top-up whenever it was heard of, and `fail` once it can't be. What it
// gives ends it.
export function watchTopup(topupId, { tell, fail }) {
  const path = `topups/${encodeURIComponent(topupId)}`;
  const source = new EventSource(address(`${path}/events`));
  let timer = setTimeout(startAsking, SILENCE_MS);
  let askOn = false;
  let asking = false;
  let stopped = false;

  source.addEventListener("topup", (event) => {
    stopAsking();
    tell(JSON.parse(event.data));
  });
  source.addEventListener("error", startAsking);

  function startAsking() {
    if (stopped || askOn) return;
    askOn = true;
    clearTimeout(timer);
    if (!asking) ask();
  }

  async function ask() {
    asking = true;
    try {
      const topup = await get(path);
      if (!stopped) tell(topup);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      if (!stopped && failure.status >= 400 && failure.status < 500) {
        stop();
        fail(failure);
      }
    } finally {
      asking = false;
    }
    if (askOn) timer = setTimeout(ask, ASK_EVERY_MS);
  }

  function stopAsking() {
    clearTimeout(timer);
    askOn = false;
  }

  function stop() {
    stopped = true;
    source.close();
    stopAsking();
  }

  return stop;
}
