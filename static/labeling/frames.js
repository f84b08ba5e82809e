// Calls `then` in a task of its own, right after the next frame was drawn; not while the tab is
// hidden, when no frames are drawn.
export function afterFrame(then) {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(null);
  });
}
