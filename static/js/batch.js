// The batch pages: follow a batch while it is made, and show how far an upload is. Both pages work without this.
const POLL_MS = 2000;

const live = document.getElementById("live");
if (live) follow(live);
const form = document.getElementById("upload");
if (form) form.addEventListener("submit", send);

async function follow(live) {
  while (live.querySelector("[data-unfinished='1']")) {
    await new Promise((resume) => setTimeout(resume, POLL_MS));
    if (document.hidden) continue;
    try {
      const response = await fetch(live.dataset.poll + location.search);
      // Signed out meanwhile: the answer is another page, not the fragment.
      if (response.ok && !response.redirected) show(live, await response.text());
    } catch {
      // The connection is away; the next round tries again.
    }
  }
}

function show(live, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const parts = ["[role=status]", "progress", ".sheet tbody"];
  const same = (selector) => !live.querySelector(selector) === !fresh.content.querySelector(selector);
  const finished = fresh.content.querySelector("[data-unfinished='0']");
  if (finished || !parts.every(same) || live.querySelector(".message")?.textContent !== fresh.content.querySelector(".message")?.textContent) {
    live.replaceChildren(fresh.content);
    return;
  }
  // Piece by piece while it runs, so that a focused button keeps its focus and shown images don't flicker.
  replaceText(live.querySelector("[role=status]"), fresh.content.querySelector("[role=status]"));
  live.querySelector("progress").value = fresh.content.querySelector("progress").value;
  const cells = fresh.content.querySelectorAll(".sheet tbody td");
  live.querySelectorAll(".sheet tbody td").forEach((cell, at) => replaceText(cell, cells[at]));
}

function replaceText(old, fresh) {
  if (fresh && old.innerHTML !== fresh.innerHTML) old.innerHTML = fresh.innerHTML;
}

function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const [line, button] = [form.querySelector(".sending"), form.querySelector("button")];
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const percent = Math.floor((100 * loaded) / total);
    line.querySelector("progress").value = percent;
    line.querySelector("span").textContent = percent < 100 ? `${percent} % sent` : "Sent. Checking every image.";
  });
  request.addEventListener("load", () => arrive(request));
  request.addEventListener("error", () => {
    button.disabled = false;
    line.querySelector("span").textContent = "The connection was lost and nothing was kept. Try again.";
  });
  line.hidden = false;
  button.disabled = true;
  request.open("POST", form.action || location.href);
  request.send(new FormData(form));
}

function arrive(request) {
  if (request.status < 400 && request.responseURL !== location.href) {
    location.assign(request.responseURL);
    return;
  }
  const answer = new DOMParser().parseFromString(request.responseText, "text/html");
  const errors = answer.querySelector("#upload .errorlist");
  const form = document.getElementById("upload");
  form.querySelector("button").disabled = false;
  form.querySelector(".sending").hidden = true;
  form.querySelector("[role=alert]").replaceChildren(errors ?? "The server could not take this upload. Try again.");
}
