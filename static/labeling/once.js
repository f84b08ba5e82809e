// Fetches what most visits do not need at its first use; returns null offline, and then tries again
// the next time.
export function once(fetching) {
  let made = null;
  return () => (made ??= fetching().catch(() => (made = null)));
}
