// The session to resume after a reload. It is stored when the page goes and removed when it comes
// back: a duplicated tab copies the storage of a live tab and must not find it there.

export class Session {
  #key;
  id = null;

  constructor(place) {
    this.#key = `nowait.session/${place}`;
    this.#take();
    addEventListener("pagehide", () => this.#keep());
    addEventListener("pageshow", (event) => event.persisted && this.#take());
  }

  #take() {
    try {
      this.id ??= sessionStorage.getItem(this.#key);
      sessionStorage.removeItem(this.#key);
    } catch {
      // Storage is off: a reload starts a new session.
    }
  }

  #keep() {
    try {
      if (this.id) sessionStorage.setItem(this.#key, this.id);
    } catch {
      // As above.
    }
  }
}
