// What is sent for one pair: the answers to all questions about it, and how they were given.

// Answers are written as the buttons' values are: a choice, and after a dash how clear it is.
export function valueOf({ choice, strength }) {
  return strength ? `${choice}-${strength}` : choice;
}

export function choiceIn(value) {
  return value.split("-")[0];
}

export function newItem({ pair, said, details, takesBack }, steps) {
  return {
    code: pair.code,
    is_practice: pair.is_practice,
    key: takesBack ? newKey() : pair.key,
    body: { ...details, ...bodyOf(said, steps), takes_back: takesBack },
  };
}

// Tell whether the item is one more pair answered: practice is not, nor is a new answer to an old pair.
export function counts(item) {
  return !item.is_practice && !item.body.takes_back;
}

function bodyOf(said, steps) {
  const body = { reason: "", others: {} };
  steps.forEach(({ key, way }, at) => {
    const [choice, strength] = said[at].split("-");
    if (at === 0) Object.assign(body, { choice, strength: strength ? Number(strength) : null });
    else if (way === "reason") body.reason = said[at];
    else body.others[key] = choice;
  });
  return body;
}

// A UUID; crypto.randomUUID is there on secure origins only.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
