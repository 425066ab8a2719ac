// The last page: the code is copied with one press, and a rater who has just finished is taken back to the platform.
// All of it works without this file: the code can be read, and the way back is a link.

const copy = document.querySelector("[data-copy]");
const countdown = document.querySelector("[data-countdown]");
if (copy && navigator.clipboard) offerCopy();
if (countdown) countDown();

function offerCopy() {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.querySelector("[data-code]").textContent);
      copy.textContent = copy.dataset.copied;
    } catch {
      // Not allowed here: the code is selected, so that the browser's own copying takes it.
      getSelection().selectAllChildren(document.querySelector("[data-code]"));
    }
  });
}

function countDown() {
  const way = document.querySelector("[data-way-home]");
  const shown = countdown.querySelector("[data-left]");
  let left = Number(countdown.dataset.seconds);
  countdown.hidden = false;
  const timer = setInterval(() => {
    left -= 1;
    shown.textContent = String(left);
    if (left > 0) return;
    clearInterval(timer);
    location.assign(way.href);
  }, 1000);
  countdown.querySelector("[data-stay]").addEventListener("click", () => {
    clearInterval(timer);
    countdown.hidden = true;
    way.focus();
  });
}
