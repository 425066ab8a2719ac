// The rating page: keys, zoom, the next pairs ahead of time, honest response times, answers that outlive a lost
// connection. The page is a plain form without this.
import { valueOf } from "./rating_answer.js";
import { Box } from "./rating_box.js";
import { Flow } from "./rating_flow.js";
import { answerOf, isTyping, letterOf } from "./rating_keys.js";
import { Stage } from "./rating_pair.js";
import { Screen } from "./rating_screen.js";
import { Sender, pathTo } from "./rating_sender.js";
import { Zoom } from "./rating_zoom.js";

const page = document.querySelector("[data-rating]");
const screen = new Screen(page);
const { form, reason, help } = screen;
const stage = new Stage(page.querySelector("[data-pair]"));
const zoom = new Zoom(stage);
const box = new Box(page.dataset.box);
const steps = [...page.querySelectorAll("[data-steps] > li")].map((item) => ({ ...item.dataset, text: item.textContent }));
const flow = new Flow({ settings: page.dataset, steps, screen, stage, zoom, box });
const sender = new Sender(box, {
  votePath: pathTo(form.dataset.apiPath),
  queuePath: form.dataset.queuePath,
  token: form.elements.csrfmiddlewaretoken.value,
  told: {
    queue: (next, item) => flow.take(next, item),
    later: () => screen.sayUnsent(box.items().length),
    refused: (sentence, item) => flow.refused(sentence, item),
    blocked: (sentence) => flow.blocked(sentence),
  },
});

let pointer = "mouse";

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("pointerdown", (event) => { pointer = event.pointerType || pointer; });
form.addEventListener("click", (event) => {
  const button = event.target.closest("button[name=choice]");
  if (!button) return;
  flow.answer(button.value, pressOf(event));
  // A button that was clicked is no place to go on from with the keyboard: space means Same.
  if (event.detail) button.blur();
});
reason.querySelector("button").addEventListener("click", sendReason);

for (const [selector, act] of [
  ["[data-take-back]", () => flow.takeBack()],
  ["[data-keep]", () => flow.keepEarlier()],
  ["[data-go-on]", () => flow.goOn()],
  ["[data-try-again]", () => flow.tryAgain()],
]) {
  for (const element of page.querySelectorAll(selector)) {
    element.addEventListener("click", (event) => {
      event.preventDefault();
      act();
    });
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (isTyping(event)) {
    if (event.key === "Enter") sendReason(event);
    if (event.key === "Escape") flow.takeBack();
    return;
  }
  const letter = letterOf(event);
  if (letter === "h") return take(event, () => screen.toggleHelp());
  if (help.open) return;
  if (letter === "z") return take(event, () => zoom.holdKey());
  if (zoom.isHeldByKey) return zoom.nudge(event.key) && event.preventDefault();
  if (letter === "u") return take(event, () => flow.takeBack());
  if (event.key === "Escape") return take(event, () => flow.keepEarlier());
  press(event);
});

document.addEventListener("keyup", (event) => { if (letterOf(event) === "z") zoom.releaseKey(); });

window.addEventListener("online", () => { if (screen.panelName === "image") flow.tryAgain(); });
// Answers that could not be stored are lost with the page.
window.addEventListener("beforeunload", (event) => { if (box.inMemory.size) event.preventDefault(); });
// The browser kept the page as it was left; the server knows better.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

box.watch({ added: (item) => flow.answeredElsewhere(item), removed: (item) => flow.confirmedElsewhere(item) });

const trials = [...page.querySelectorAll("[data-trials] > li")].map(({ dataset }) => ({
  ...dataset,
  class_label: dataset.classLabel,
  width: Number(dataset.width),
  height: Number(dataset.height),
  is_practice: "isPractice" in dataset,
}));
flow.start(sender, { trials: trials.filter((trial) => !trial.choice), previous: trials.find((trial) => trial.choice) });

function take(event, act) {
  event.preventDefault();
  if (!event.repeat) act();
}

function press(event) {
  const answer = answerOf(event, { hasStrength: screen.way === "strength" });
  // Whoever walks to a button or link with the tab key means that one.
  const isMeant = event.key === " " && event.target.matches(":is(a, button):focus-visible");
  if (!answer || isMeant) return;
  const [choice, strength] = answer;
  take(event, () => { if (screen.way !== "reason") flow.answer(valueOf({ choice, strength }), "key"); });
}

function sendReason(event) {
  event.preventDefault();
  flow.answer(reason.querySelector("input").value, pressOf(event));
}

// A click that no pointer made came from the keyboard.
function pressOf(event) {
  if (event instanceof KeyboardEvent) return "key";
  return event.detail ? event.pointerType || pointer : "key";
}
