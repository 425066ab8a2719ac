// The answers that the server has not confirmed. Each is an entry of its own in the browser's storage, so that they
// outlive a reload and a closed tab, and two tabs never write over each other's.

export class Box {
  constructor(name) {
    this.prefix = `twinseed.${name}.`;
    // Storage may be full or forbidden: then answers go on in memory, and leaving the page is warned about.
    this.inMemory = new Map();
    this.lastAt = 0;
  }

  add(item) {
    this.lastAt = Math.max(Date.now(), this.lastAt + 1);
    this.#put({ ...item, at: this.lastAt });
  }

  // Note that the server refused the answer; return how often it has by now.
  noteRefusal(item) {
    const refusals = (item.refusals ?? 0) + 1;
    this.#put({ ...item, refusals });
    return refusals;
  }

  remove(key) {
    this.inMemory.delete(key);
    this.#stored((storage) => storage.removeItem(this.prefix + key));
  }

  // Oldest first: a new answer to a pair must not overtake the one that it replaces.
  items() {
    const stored = this.#stored((storage) =>
      Object.keys(storage)
        .filter((name) => name.startsWith(this.prefix))
        .map((name) => JSON.parse(storage.getItem(name))),
    );
    return [...(stored ?? []), ...this.inMemory.values()].sort((one, other) => one.at - other.at);
  }

  // Call back with what another tab put in, or took out when the server had confirmed it.
  watch({ added, removed }) {
    window.addEventListener("storage", ({ key, oldValue, newValue }) => {
      if (!key?.startsWith(this.prefix)) return;
      if (!oldValue && newValue) added(JSON.parse(newValue));
      if (oldValue && !newValue) removed(JSON.parse(oldValue));
    });
  }

  #put(item) {
    const isStored = this.#stored((storage) => {
      storage.setItem(this.prefix + item.key, JSON.stringify(item));
      return true;
    });
    if (!isStored) this.inMemory.set(item.key, item);
  }

  #stored(act) {
    try {
      return act(window.localStorage);
    } catch (error) {
      if (error instanceof DOMException) return null; // Full, or forbidden.
      throw error;
    }
  }
}
