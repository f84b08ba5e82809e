// Keeps a person's messages in this browser until the server has them: one row each in IndexedDB,
// written without holding up the key press. Two tabs never overwrite one another, and a tab may
// adopt messages that another left, since an id has its effect once.

const NAME = "nowait";
const STORE = "outbox";
const PATIENCE_MS = 2000; // for the database to open

export class Shelf {
  #place;
  #failed;
  #database = null;

  // failed() is called once, when this browser keeps nothing (any more).
  constructor(place, failed) {
    this.#place = place;
    this.#failed = failed;
  }

  // Opens it. Returns the rows of earlier pages, oldest first: {message, at}.
  async open() {
    try {
      this.#database = await opened();
      this.#database.onversionchange = () => this.#fail();
      this.#database.onclose = () => this.#fail();
      const range = IDBKeyRange.bound([this.#place], [this.#place, []]);
      const rows = await result(this.#database.transaction(STORE).objectStore(STORE).getAll(range));
      return rows.sort((one, other) => one.at - other.at);
    } catch {
      this.#fail();
      return [];
    }
  }

  // Whether anything is kept.
  get works() {
    return this.#database !== null;
  }

  keep({ message, at }) {
    this.#write((store) => store.put({ place: this.#place, id: message.id, message, at }));
  }

  drop(id) {
    this.#write((store) => store.delete([this.#place, id]));
  }

  #write(act) {
    if (!this.#database) return;
    try {
      const transaction = this.#database.transaction(STORE, "readwrite");
      transaction.onabort = () => this.#fail();
      act(transaction.objectStore(STORE));
      transaction.commit(); // at once, so that it outlives a page that closes
    } catch {
      this.#fail();
    }
  }

  #fail() {
    this.#database?.close();
    this.#database = null;
    this.#failed?.();
    this.#failed = null;
  }
}

function opened() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STORE, { keyPath: ["place", "id"] });
  };
  const late = new Promise((_, give) => setTimeout(() => give(new Error("late")), PATIENCE_MS));
  return Promise.race([result(request), late]);
}

function result(request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}
