// What most visits do not need is fetched when it is first asked for; null where there is no network,
// and then again the next time.
export function once(fetching) {
  let made = null;
  return () => (made ??= fetching().catch(() => (made = null)));
}
