// One key for one wish to top up: sent twice, it is one payment page. It lives as long as the tab.

const NAME = "wallet.wish";

export function wishKey(wish) {
  const kept = readWish();
  if (kept?.wish === wish) return kept.key;
  const key = crypto.randomUUID();
  try {
    sessionStorage.setItem(NAME, JSON.stringify({ wish, key }));
  } catch {
    // Without storage, the server still finds an open page of the same amount.
  }
  return key;
}

// It has come true, or can't any more: the next one is another.
export function forgetWish() {
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // Nothing was kept.
  }
}

function readWish() {
  try {
    return JSON.parse(sessionStorage.getItem(NAME));
  } catch {
    return null;
  }
}
