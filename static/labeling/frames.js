// Calls `then` in its own task, right after the next frame is drawn; not while the tab is hidden,
// as it draws no frames then.
export function afterFrame(then) {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(null);
  });
}
