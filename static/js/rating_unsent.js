// The pages beside the pairs: answers that the browser still keeps are sent from there too.
import { Box } from "./rating_box.js";
import { Sender, pathTo } from "./rating_sender.js";

const kept = document.querySelector("[data-unsent]");
const line = document.querySelector("[data-unsent-text]");
const { dataset } = kept;
const box = new Box(dataset.box);
const say = (sentence) => { line.textContent = sentence; };
const sayHowMany = () => say(dataset.wordUnsent.replace("{n}", box.items().length));

const sender = new Sender(box, {
  votePath: pathTo(dataset.apiPath),
  queuePath: dataset.queuePath,
  token: kept.querySelector("input").value,
  told: {
    // The page counts answers: what it says is old when they are sent.
    queue: () => { if (!box.items().length) location.reload(); },
    later: sayHowMany,
    refused: say,
    // The page itself says why.
    blocked: sayHowMany,
  },
});
sender.flush();
