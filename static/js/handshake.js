// Why a WebSocket did not open. A browser keeps the answer to the handshake from its page; asked for
// as a page, the same address gives it again.

const REFUSALS = new Set([401, 403, 404]);
const PATIENCE_MS = 8000;

// Returns {code, name}: the close code that means the same, and who is logged in. The code is 0 where
// the server says nothing of the kind: it is away, or full, or would open it now.
export async function whyRefused(socketUrl) {
  const url = new URL(socketUrl);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(url, { cache: "no-store", signal });
    if (!REFUSALS.has(answer.status)) return { code: 0, name: null };
    const { status, name } = await answer.json(); // what a proxy says for itself is no JSON
    return { code: 4000 + status, name };
  } catch {
    return { code: 0, name: null };
  }
}
