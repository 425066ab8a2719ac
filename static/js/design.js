// How a study asks: more rows for questions, and the numbers follow what is typed. The page works without this.
const PAUSE_MS = 500;

const form = document.getElementById("design");
for (const rows of form.querySelectorAll("[data-rows]")) offer(rows);
// What is out of sight is opened by the browser only for its own checks, which the form does without.
const size = document.getElementById("size");
form.querySelector("[data-work-out]").hidden = true;
let waiting;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(workOut, PAUSE_MS);
});

function offer(rows) {
  const [add, list] = [rows.querySelector("[data-add]"), rows.querySelector("[data-list]")];
  const total = rows.querySelector("[name$=TOTAL_FORMS]");
  const most = Number(rows.querySelector("[name$=MAX_NUM_FORMS]").value);
  add.hidden = Number(total.value) >= most;
  add.addEventListener("click", () => {
    const row = document.createElement("template");
    row.innerHTML = rows.querySelector("template").innerHTML.replaceAll("__prefix__", total.value);
    list.append(row.content);
    total.value = Number(total.value) + 1;
    add.hidden = Number(total.value) >= most;
    list.lastElementChild.querySelector("input").focus();
  });
}

async function workOut() {
  const sent = new URLSearchParams(new FormData(form));
  try {
    const response = await fetch(form.dataset.size, { method: "POST", body: sent });
    // Signed out meanwhile: the answer is another page, not the fragment.
    if (response.ok && !response.redirected) size.innerHTML = await response.text();
  } catch {
    // The connection is away; the next change asks again.
  }
}
