// Pages with long work: follow it while it is done. They work without this, by a reload.
const POLL_MS = 2000;

for (const part of document.querySelectorAll("[data-follow]")) follow(part);

async function follow(part) {
  while (part.querySelector("[data-unfinished]")) {
    await new Promise((resume) => setTimeout(resume, POLL_MS));
    if (document.hidden) continue;
    try {
      const response = await fetch(part.dataset.follow + location.search);
      // Signed out meanwhile: the answer is another page, not the fragment.
      if (response.ok && !response.redirected) show(part, await response.text());
    } catch {
      // The connection is away; the next round tries again.
    }
  }
}

function show(part, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  if (states(part) !== states(fresh.content)) {
    replaceAll(part, fresh.content);
    return;
  }
  // Only what moves while nothing begins or ends, so that a focused button keeps its focus.
  const moving = fresh.content.querySelectorAll(".work-progress");
  part.querySelectorAll(".work-progress").forEach((old, at) => {
    if (old.innerHTML !== moving[at].innerHTML) old.innerHTML = moving[at].innerHTML;
  });
}

function states(part) {
  return [...part.querySelectorAll("[data-work]")].map((work) => `${work.dataset.work} ${work.dataset.state}`).join();
}

function replaceAll(part, content) {
  const action = part.contains(document.activeElement) ? document.activeElement.form?.getAttribute("action") : null;
  part.replaceChildren(content);
  if (action) part.querySelector(`form[action="${action}"] button`)?.focus();
}
