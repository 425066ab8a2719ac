// Sends the box's answers, oldest first, until the server has confirmed or refused each of them.
// The same answer sent twice, by two tabs or after a lost reply, carries the same key and counts once.

const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
const NOBODY = "00000000-0000-0000-0000-000000000000";
const REPLY_MS = 30_000;
const LOCK_MS = 10_000;
// The browser is no longer known, or its token is stale: the page may be, not the answer. A fresh page tries again.
const DOUBTFUL = [403, 404];

// Return what makes a trial's path of its code.
export function pathTo(pattern) {
  return (code) => pattern.replace(NOBODY, code);
}

export class Sender {
  // votePath(code), queuePath and token say where to; told: { queue, later, refused, blocked }.
  constructor(box, { votePath, queuePath, token, told }) {
    Object.assign(this, { box, votePath, queuePath, token, told });
    this.mine = new Set();
    this.failures = 0;
    this.isRunning = false;
    this.isBlocked = false;
    this.wake = () => {};
    window.addEventListener("online", () => this.wake());
  }

  add(item) {
    this.mine.add(item.key);
    return this.flush();
  }

  async flush() {
    if (this.isRunning) return;
    this.isRunning = true;
    while (!this.isBlocked && this.box.items().length) {
      const isThrough = await this.#alone(() => this.#sendAll());
      if (!isThrough && !this.isBlocked) await this.#pause();
    }
    this.isRunning = false;
    // Another tab sent what this one answered, and got the reply.
    if (this.mine.size && !this.isBlocked) await this.refresh();
  }

  // Ask for the queue that every vote's reply carries too.
  async refresh() {
    this.mine.clear();
    let reply;
    while (!(reply = await this.#fetch(this.queuePath, {}))) await this.#pause();
    if (reply.ok) this.told.queue(reply.said, null);
    else this.#block(reply.said.detail);
  }

  // One tab at a time, where the browser can arrange it.
  async #alone(act) {
    if (!navigator.locks) return act();
    let began = false;
    try {
      return await navigator.locks.request(this.box.prefix, { signal: after(LOCK_MS) }, () => {
        began = true;
        return act();
      });
    } catch (error) {
      // The tab that holds the lock may be asleep; the keys keep two senders from counting twice.
      if (began || error.name !== "AbortError") throw error;
      return act();
    }
  }

  // Return whether every answer was confirmed or refused; if not, the rest waits for a better moment.
  async #sendAll() {
    for (let item; (item = this.box.items()[0]); ) {
      const reply = await this.#post(item);
      if (!reply) return false;
      if (!reply.ok && !(await this.#refused(item, reply))) return false;
      if (!reply.ok) continue;
      // In one go: an answer given between the two would be counted by neither.
      this.#forget(item);
      this.told.queue(reply.said, item);
    }
    return true;
  }

  // A refused answer leaves the box, unless it is the study that takes none now, or the page that is stale.
  async #refused(item, { status, said }) {
    if (DOUBTFUL.includes(status) && this.box.noteRefusal(item) === 1) return this.#block(said.detail);
    const queue = await this.#fetch(this.queuePath, {});
    if (!queue) return false;
    if (!queue.ok) return this.#block(queue.said.detail);
    this.#forget(item);
    this.told.refused(said.detail, item);
    this.told.queue(queue.said, item);
    return true;
  }

  #block(sentence) {
    this.isBlocked = true;
    this.told.blocked(sentence);
    return false;
  }

  #forget(item) {
    this.box.remove(item.key);
    this.mine.delete(item.key);
  }

  #post({ code, body, key }) {
    return this.#fetch(this.votePath(code), {
      method: "POST",
      keepalive: true,
      headers: { "Content-Type": "application/json", "X-CSRFToken": this.token },
      body: JSON.stringify({ ...body, key }),
    });
  }

  // Return what the server said; null where it said nothing of use: no connection, too busy, another's login page.
  async #fetch(path, options) {
    try {
      // What is said is read on this page: in its language.
      const headers = { ...options.headers, "Accept-Language": document.documentElement.lang };
      const response = await fetch(path, { ...options, headers, signal: after(REPLY_MS) });
      if (response.status === 429 || response.status >= 500) return null;
      const said = await response.json();
      this.failures = 0;
      return { ok: response.ok, status: response.status, said };
    } catch {
      return null;
    }
  }

  async #pause() {
    this.told.later();
    const ms = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
    await new Promise((resume) => {
      this.wake = resume;
      setTimeout(resume, ms);
    });
    this.wake = () => {};
  }
}

function after(ms) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}
