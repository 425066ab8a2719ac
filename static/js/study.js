// The study page: a button that copies the link for raters.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue; // Plain http on another machine has no clipboard; the field can be selected.
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = "Copied";
  });
}
