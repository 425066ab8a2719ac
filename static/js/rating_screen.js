// What stands on the page: texts, buttons, panels. All words come from the template.

export class Screen {
  constructor(page) {
    this.page = page;
    this.words = page.dataset;
    this.form = this.#find("[data-answers]");
    this.groups = page.querySelectorAll("[data-choices]");
    this.reason = this.#find("[data-reason]");
    this.help = this.#find("[data-help]");
    this.panels = page.querySelectorAll("[data-panel]");
    this.form.hidden = false;
    this.#find("[data-plain]")?.remove();
    const helpButton = this.#find("[data-help-button]");
    helpButton.hidden = false;
    helpButton.addEventListener("click", () => this.toggleHelp());
    this.#find("[data-refusal] button").addEventListener("click", () => this.refuse(""));
  }

  // idle: nothing is asked. loading: the images are not there yet. shown: they are. open: they are painted, and an
  // answer is taken. sent: practice was answered. taught: it was told what was right. paused: a break. blocked: the end.
  get state() {
    return this.page.dataset.state;
  }

  set state(name) {
    this.page.dataset.state = name;
  }

  describe(pair) {
    this.#write("[data-label]", pair.class_label);
    this.page.toggleAttribute("data-practice", pair.is_practice);
  }

  // Nothing to show until the server says what there is.
  idle() {
    this.state = "idle";
    this.#write("[data-label]", this.words.wordWait);
  }

  progress({ n, total, isPractice, minutes }) {
    const words = isPractice ? this.words.wordPractice : fill(this.words.wordProgress, { n, total });
    this.#write("[data-progress]", words);
    Object.assign(this.#find("[data-way]"), { max: Math.max(total, 1), value: Math.min(n, total) });
    const left = minutes === 0 ? this.words.wordLastMinute : fill(this.words.wordMinutes, { n: minutes });
    this.#write("[data-time-left]", minutes === null || isPractice ? "" : left);
  }

  // Ask one question of a pair: the buttons it is answered with, and the earlier answer where there is one.
  ask(step, { number, count, earlier }) {
    this.way = step.way;
    this.#write("[data-question]", step.text);
    this.#write("[data-step]", count > 1 ? fill(this.words.wordStep, { n: number, total: count }) : "");
    const focused = document.activeElement;
    for (const group of this.groups) group.hidden = group.dataset.choices !== step.way;
    this.reason.hidden = step.way !== "reason";
    this.#mark(earlier);
    if (step.way === "reason") this.#askReason(earlier);
    else if (focused?.matches("[hidden] > button[name=choice]")) this.#buttonLike(focused)?.focus();
  }

  takenBack(choice) {
    this.page.toggleAttribute("data-is-taken-back", Boolean(choice));
    const banner = this.#find("[data-taken-back]");
    banner.hidden = !choice;
    this.#write("[data-earlier]", choice ? this.wordFor(choice) : "");
  }

  offerTakeBack(isOffered) {
    const link = this.#find("[data-take-back]");
    if (link) link.hidden = !isOffered;
  }

  say(text) {
    this.#write("[data-state-text]", text);
  }

  sayUnsent(n) {
    this.say(n ? fill(this.words.wordUnsent, { n }) : this.words.wordOffline);
  }

  // The server's sentence about an answer that it did not keep.
  refuse(sentence) {
    const box = this.#find("[data-refusal]");
    box.hidden = !sentence;
    this.#write("[data-refusal-text]", sentence);
  }

  // Show one panel in place of the answers, and wait for its button; without a name, none.
  panel(name, words = {}) {
    const had = [...this.panels].some((panel) => panel.contains(document.activeElement));
    for (const panel of this.panels) panel.hidden = panel.dataset.panel !== name;
    this.page.dataset.panelName = name ?? "";
    for (const [slot, text] of Object.entries(words)) this.#write(`[data-panel=${name}] [data-${slot}]`, text);
    if (name) this.#find(`[data-panel=${name}] .is-primary`).focus();
    else if (had) document.activeElement.blur();
  }

  get panelName() {
    return this.page.dataset.panelName;
  }

  get hasPanel() {
    return Boolean(this.panelName);
  }

  rest(counts) {
    this.panel("break", { "break-text": fill(this.words.wordBreak, counts) });
  }

  // Say whether a practice answer was right, and why; the pair stays in sight.
  teach({ expected, is_right, explanation }) {
    this.panel("feedback", {
      verdict: is_right ? this.words.wordRightAnswer : this.words.wordWrongAnswer,
      expected: is_right ? "" : fill(this.words.wordExpected, { answer: this.wordFor(expected) }),
      explanation,
    });
  }

  toggleHelp() {
    if (this.help.open) this.help.close();
    else this.help.showModal();
  }

  wordFor(choice) {
    return { left: this.words.wordLeft, right: this.words.wordRight, same: this.words.wordSame }[choice];
  }

  #askReason(earlier) {
    const field = this.reason.querySelector("input");
    field.value = earlier ?? "";
    field.focus();
  }

  #mark(earlier) {
    for (const button of this.form.querySelectorAll("button[name=choice]")) {
      const isPressed = !button.closest("[hidden]") && button.value === earlier;
      if (isPressed) button.setAttribute("aria-pressed", "true");
      else button.removeAttribute("aria-pressed");
    }
  }

  // The button of the other group that says the same side: where the focus goes when its own group leaves.
  #buttonLike(button) {
    const [side] = button.value.split("-");
    return this.form.querySelector(`[data-choices]:not([hidden]) > button[value^=${side}]`);
  }

  #write(selector, text) {
    const element = this.#find(selector);
    if (element && element.textContent !== text) element.textContent = text;
  }

  #find(selector) {
    return this.page.querySelector(selector);
  }
}

function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
