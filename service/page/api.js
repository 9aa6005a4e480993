// The wallet's HTTP interface. Addresses are relative, so that a path prefix works.

const TIMEOUT_MS = 20_000;

// What became of a request that has no answer to show: status 0 where nothing came back at all.
export class Failure extends Error {
  constructor(status, { error = "unreadable", message = "" } = {}) {
    super(message);
    this.status = status;
    this.error = error;
  }
}

export const get = (path, query, signal) => send("GET", address(path, query), { signal });
export const post = (path, body) => send("POST", address(path), { body });
export const put = (path, body) => send("PUT", address(path), { body });

// A query of texts and lists; what is null is left out.
export function address(path, query = {}) {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of [value].flat()) {
      if (item != null) fields.append(name, item);
    }
  }
  const search = fields.toString();
  return `api/wallet/${path}${search && `?${search}`}`;
}

async function send(method, url, { body, signal } = {}) {
  const { response, answer } = await exchange(url, signal, {
    method,
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
    },
    body: body && JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  });
  if (response.ok && answer) return answer;
  const failure = new Failure(response.status, answer);
  document.dispatchEvent(new CustomEvent("wallet:failure", { detail: failure }));
  throw failure;
}

// The response with its JSON, or null where it is none. Given up on after a while.
async function exchange(url, signal, options) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, TIMEOUT_MS);
  signal?.addEventListener("abort", abort);
  try {
    const response = await fetch(url, { ...options, signal: controller.signal });
    return { response, answer: await readJson(response) };
  } catch {
    throw new Failure(0, { error: signal?.aborted ? "aborted" : "unreachable" });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

async function readJson(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
