// The sequence: a pair, the questions about it, a break, feedback to practice; and what the server says meanwhile.
import { choiceIn, counts, newItem, valueOf } from "./rating_answer.js";
import { Clock, Pace } from "./rating_clock.js";
import { Pair } from "./rating_pair.js";

export class Flow {
  // settings: the page's data-* attributes. steps: the questions about each pair.
  constructor({ settings, steps, screen, stage, zoom, box }) {
    Object.assign(this, { settings, steps, screen, stage, zoom, box });
    this.clock = new Clock();
    this.pace = new Pace();
    this.known = new Set(); // Codes of all trials that were ever in the queue, or answered.
    this.queue = []; // Pairs whose turn comes.
    this.now = null; // The pair that is asked about, and what has been said about it.
    this.last = null; // The pair whose answer may be taken back, and what was said about it.
    this.practised = null; // The key of a practice answer whose feedback is awaited.
    this.nVotes = Number(settings.nVotes);
    this.total = Number(settings.nComparisons);
    this.breakAfter = Number(settings.breakAfter);
    this.restedAt = Number(settings.restedAt);
  }

  // Begin with what the page brought: the open trials, and the answered one that may be taken back.
  start(sender, { trials, previous }) {
    this.sender = sender;
    const unsent = this.box.items();
    for (const { code } of unsent) this.known.add(code);
    if (previous && !unsent.length) this.last = { trial: previous, said: [valueOf(previous)] };
    this.#enqueue(trials);
    if ("takesBack" in this.settings && this.last) this.takeBack();
    else this.proceed();
    sender.flush();
  }

  // Show what comes next: a break, a pair, or nothing until the server has said what there is.
  proceed() {
    this.now = null;
    this.screen.panel(null);
    this.screen.takenBack(null);
    if (this.#isBreakDue()) return this.#rest();
    if (this.queue.length) return this.show(this.queue.shift());
    this.screen.idle();
    this.screen.offerTakeBack(this.last !== null);
    this.#leaveIfDone();
  }

  async show(pair, { said = [], takesBack = false } = {}) {
    const mine = { pair, step: 0, said, takesBack, details: null };
    this.now = mine;
    this.screen.state = "loading";
    this.screen.panel(null);
    this.screen.describe(pair);
    this.#tellProgress();
    this.#ask();
    if (!(await this.#isReady(mine))) return;
    this.zoom.end();
    this.stage.place(pair);
    this.screen.state = "shown";
    // The second frame begins when the first one, with both images, is on the screen.
    requestAnimationFrame(() => requestAnimationFrame((time) => { if (this.now === mine) this.#open(time); }));
  }

  // Take the answer to the question that is asked; the last one completes the pair.
  answer(value, pressedWith) {
    // A press before both images are painted answers nothing that was seen.
    if (this.screen.state !== "open") return;
    this.now.details ??= { ...this.clock.read(), zoom_ms: this.zoom.takeMs(), pressed_with: pressedWith };
    this.now.said[this.now.step] = value;
    this.now.step += 1;
    if (this.now.step < this.steps.length) this.#ask();
    else this.#finish();
  }

  // One question back; at the first one, the last pair back, with the sides and answers it had.
  takeBack() {
    const { now, last, screen } = this;
    if (now?.step && screen.state === "open") {
      now.step -= 1;
      return this.#ask();
    }
    if (now?.takesBack || !last || this.practised || !["open", "paused", "idle"].includes(screen.state)) return;
    if (now) this.queue.unshift(now.pair);
    const pair = last.trial instanceof Pair ? last.trial : new Pair(last.trial);
    this.show(pair, { said: [...last.said], takesBack: true });
    screen.takenBack(choiceIn(last.said[0]));
  }

  keepEarlier() {
    if (this.now?.takesBack) this.proceed();
  }

  // After a break or feedback.
  goOn() {
    this.restedAt = this.#nAnswered();
    this.proceed();
  }

  // After an image that could not be loaded.
  tryAgain() {
    if (this.now) this.show(this.now.pair, this.now);
  }

  // What the server says to an answer, or when asked: the queue as it is then.
  take(next, item) {
    this.nVotes = next.n_votes;
    this.total = next.n_comparisons;
    this.screen.say("");
    this.#enqueue(next.trials);
    const isFeedback = this.practised && (!item || item.key === this.practised);
    if (isFeedback) this.practised = null;
    if (isFeedback && next.feedback) return this.#teach(next.feedback);
    if (this.now) this.#tellProgress();
    else if (!this.screen.hasPanel && !this.practised) this.proceed();
  }

  refused(sentence, item) {
    this.screen.refuse(sentence);
    if (this.last?.trial.code === item.code) this.last = null;
  }

  blocked(sentence) {
    this.now = null;
    this.screen.state = "blocked";
    this.screen.panel("blocked", { sentence });
  }

  // The rater answered this pair in another tab: here it is not asked again.
  answeredElsewhere(item) {
    this.known.add(item.code);
    this.queue = this.queue.filter((pair) => pair.code !== item.code);
    if (this.now?.pair.code === item.code && !this.now.takesBack) this.proceed();
    else if (this.now) this.#tellProgress();
    // The other tab may be closed before it has sent the answer.
    if (!this.now) this.sender.flush();
  }

  confirmedElsewhere(item) {
    if (counts(item)) this.nVotes += 1;
    const isIdle = !this.now && !this.screen.hasPanel && !this.queue.length && !this.box.items().length;
    if (isIdle) this.sender.refresh();
  }

  #enqueue(trials) {
    for (const trial of trials) {
      if (this.known.has(trial.code)) continue;
      this.known.add(trial.code);
      this.queue.push(new Pair(trial));
    }
  }

  // Pairs answered, sent or not.
  #nAnswered() {
    return this.nVotes + this.box.items().filter(counts).length;
  }

  #isBreakDue() {
    const n = this.#nAnswered();
    return this.breakAfter > 0 && n > 0 && n % this.breakAfter === 0 && n < this.total && n !== this.restedAt;
  }

  #rest() {
    this.pace.rest();
    this.screen.state = "paused";
    this.screen.offerTakeBack(this.last !== null);
    this.screen.rest({ n: this.#nAnswered(), total: this.total });
  }

  #teach(feedback) {
    this.screen.state = "taught";
    this.screen.teach(feedback);
  }

  #leaveIfDone() {
    if (this.box.items().length || this.practised) return;
    location.assign(this.settings.again);
  }

  async #isReady(mine) {
    try {
      await mine.pair.ready();
    } catch {
      if (this.now === mine) this.screen.panel("image");
      return false;
    }
    return this.now === mine;
  }

  #open(time) {
    this.zoom.takeMs(); // What was spent on the pair before.
    this.clock.start(time);
    this.pace.begin();
    this.screen.state = "open";
  }

  #tellProgress() {
    const n = this.#nAnswered();
    const number = Math.min(this.now.takesBack ? n : n + 1, this.total);
    const minutes = this.pace.minutesFor(this.total - n);
    this.screen.progress({ n: number, total: this.total, isPractice: this.now.pair.is_practice, minutes });
  }

  #ask() {
    const { step, said, takesBack } = this.now;
    this.screen.offerTakeBack(step > 0 || (this.last !== null && !takesBack));
    this.screen.ask(this.steps[step], { number: step + 1, count: this.steps.length, earlier: said[step] });
  }

  #finish() {
    const item = newItem(this.now, this.steps);
    const { pair, said, takesBack } = this.now;
    this.last = pair.is_practice || !("mayTakeBack" in this.settings) ? null : { trial: pair, said };
    this.box.add(item);
    this.screen.refuse("");
    if (!takesBack && !pair.is_practice) this.pace.tick();
    if (pair.is_practice) this.#await(item.key);
    else this.proceed();
    this.sender.add(item);
  }

  // The pair of a practice answer stays until the server has said what is right.
  #await(key) {
    this.now = null;
    this.practised = key;
    this.screen.state = "sent";
  }
}
