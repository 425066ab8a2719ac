// The page of a new arm: choosing a method keeps the name and the checkpoints that are filled in already.
const form = document.getElementById("arm");
const KEPT = ["name", "denoiser", "classifier"];

for (const link of document.querySelectorAll("[data-preset]")) {
  link.addEventListener("click", () => {
    const address = new URL(link.href);
    for (const name of KEPT) if (form.elements[name].value) address.searchParams.set(name, form.elements[name].value);
    link.href = address;
  });
}
