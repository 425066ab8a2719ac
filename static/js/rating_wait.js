// The waiting page looks again by itself; while nobody sees it, it waits.
const waiting = document.querySelector("form[data-again-after]");
setTimeout(lookAgain, Number(waiting.dataset.againAfter) * 1000);

function lookAgain() {
  if (!document.hidden) waiting.submit();
  else document.addEventListener("visibilitychange", lookAgain, { once: true });
}
