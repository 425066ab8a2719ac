// The rating page: keys, the next pairs ahead of time, honest response times, answers that outlive a lost connection.
// The page is a plain form without this file; whatever goes wrong here ends in submitting that form.

const NOBODY = "00000000-0000-0000-0000-000000000000";
const RETRY_MS = [1000, 2000, 4000, 8000];
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "same", " ": "same" };

const page = document.querySelector("[data-rating]");
const waiting = document.querySelector("form[data-again-after]");
if (waiting) setTimeout(() => waiting.submit(), Number(waiting.dataset.againAfter) * 1000);
if (page) start();

function start() {
  const form = page.querySelector("[data-answers]");
  const pair = page.querySelector("[data-pair]");
  const figures = { left: pair.querySelector("[data-side=left]"), right: pair.querySelector("[data-side=right]") };
  const say = (text) => { page.querySelector("[data-state-text]").textContent = text; };
  const known = new Set();
  const queue = [];
  const outbox = [];
  let nVotes = Number(page.dataset.nVotes);
  let shownAt = 0;
  let sending = false;
  let leaving = false;

  // A trial's two images, fetched and decoded before it is their turn.
  function prepare(data) {
    const images = {};
    for (const side of ["left", "right"]) {
      const image = new Image(data.width, data.height);
      image.alt = side === "left" ? "Left image" : "Right image";
      image.src = data[side];
      images[side] = image;
    }
    const decoded = Promise.all([images.left.decode(), images.right.decode()]);
    decoded.catch(() => {}); // Told to the rater when it is this pair's turn.
    return { ...data, images, decoded };
  }

  function enqueue(trials) {
    for (const data of trials) {
      if (known.has(data.code)) continue;
      known.add(data.code);
      queue.push(prepare(data));
    }
  }

  async function show(trial) {
    page.dataset.state = "loading";
    page.querySelector("[data-label]").textContent = trial.class_label;
    page.querySelector("[data-progress]").textContent = progress();
    pair.classList.toggle("is-small", trial.width <= 128);
    figures.left.replaceChildren(trial.images.left);
    figures.right.replaceChildren(trial.images.right);
    fit();
    try {
      await trial.decoded;
    } catch {
      say("An image could not be loaded. Reload the page to try again.");
      return;
    }
    page.dataset.state = "shown";
    // The second frame begins when the first one, with both images, is on the screen.
    requestAnimationFrame(() => requestAnimationFrame((time) => { shownAt = time; page.dataset.state = "open"; }));
  }

  function progress() {
    const words = page.querySelector("[data-progress]").textContent;
    return words.replace(/\d+/, String(nVotes + outbox.length + 1));
  }

  // Small images grow by whole device pixels, so that every pixel of theirs is equally large.
  function fit() {
    const trial = queue[0];
    if (!trial) return;
    const ratio = window.devicePixelRatio;
    const room = Math.min(
      ...Object.values(figures).flatMap((box) => [box.clientWidth / trial.width, box.clientHeight / trial.height]),
    );
    const times = Math.floor(room * ratio) / ratio;
    const whole = pair.classList.contains("is-small") && times * ratio >= 1;
    for (const image of Object.values(trial.images)) {
      image.style.width = whole ? `${trial.width * times}px` : "";
      image.style.height = whole ? `${trial.height * times}px` : "";
    }
  }

  function answer(choice) {
    // A press before both images are painted answers nothing that was seen.
    if (page.dataset.state !== "open") return;
    page.dataset.state = "loading";
    const responseMs = Math.max(0, Math.round(performance.now() - shownAt));
    outbox.push({ trial: queue.shift(), choice, responseMs });
    if (queue.length) show(queue[0]);
    // Without the blur, space would press the button that was clicked last.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    send();
  }

  async function send() {
    if (sending) return;
    sending = true;
    for (let failures = 0; outbox.length; ) {
      const reply = await post(outbox[0]);
      if (!reply) {
        say("No connection. Your answers are kept and sent as soon as it is back.");
        await new Promise((done) => setTimeout(done, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]));
        continue;
      }
      if (!reply.ok) return submitByForm(outbox[0]);
      failures = 0;
      // In one go: a press between the two would find its answer counted by neither.
      outbox.shift();
      take(reply.next);
    }
    sending = false;
  }

  async function post({ trial, choice, responseMs }) {
    try {
      const response = await fetch(form.dataset.apiPath.replace(NOBODY, trial.code), {
        method: "POST",
        keepalive: true,
        headers: { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
        body: JSON.stringify({ choice, response_ms: responseMs, key: trial.key }),
      });
      return { ok: response.ok, next: response.ok ? await response.json() : null };
    } catch {
      return null;
    }
  }

  function take(next) {
    say("");
    nVotes = next.n_votes;
    const wasEmpty = !queue.length;
    enqueue(next.trials);
    if (queue.length && wasEmpty) show(queue[0]);
    else if (!queue.length && !outbox.length) location.assign(next.standing === "finished" ? page.dataset.thanks : page.dataset.again);
  }

  // The server's page says what is wrong better than a script could.
  function submitByForm({ trial, choice, responseMs }) {
    leaving = true;
    form.action = form.dataset.votePath.replace(NOBODY, trial.code);
    form.elements.key.value = trial.key;
    form.elements.response_ms.value = responseMs;
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "choice", value: choice });
    form.append(field);
    form.submit();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer(event.submitter.value);
  });

  document.addEventListener("keydown", (event) => {
    const choice = KEYS[event.key];
    if (!choice || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    // Whoever walks to a button or link with the tab key means that one.
    if (event.key === " " && document.activeElement?.matches(":focus-visible")) return;
    event.preventDefault();
    if (!event.repeat) answer(choice);
  });

  window.addEventListener("resize", fit);
  window.addEventListener("beforeunload", (event) => { if (outbox.length && !leaving) event.preventDefault(); });

  enqueue([...page.querySelectorAll("li[data-code]")].map((item) => ({
    ...item.dataset,
    class_label: item.dataset.classLabel,
    width: Number(item.dataset.width),
    height: Number(item.dataset.height),
  })));
  show(queue[0]);
}
