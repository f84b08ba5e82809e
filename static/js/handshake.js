// Why a WebSocket did not open. Browsers hide the answer to the handshake from the page; a plain
// request to the same address gets the same answer.

const REFUSALS = new Set([401, 403, 404]);
const PATIENCE_MS = 8000;

// Returns {code, name}: the close code of the same meaning, and who is logged in. The code is 0 if
// the server does not refuse: it is away, or full, or would open the WebSocket now.
export async function whyRefused(socketUrl) {
  const url = new URL(socketUrl);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(url, { cache: "no-store", signal });
    if (!REFUSALS.has(answer.status)) return { code: 0, name: null };
    const { status, name } = await answer.json(); // throws if a proxy answered: not JSON
    return { code: 4000 + status, name };
  } catch {
    return { code: 0, name: null };
  }
}
