// What a key means, on any keyboard: letters and digits by their place where the layout writes other ones.

const SIDES = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "same", " ": "same" };
const ROW = [["left", 2], ["left", 1], ["same", null], ["right", 1], ["right", 2]];
const LETTERS = { KeyZ: "z", KeyU: "u", KeyH: "h" };

// Return the letter that the key stands for: z zooms, u takes back, h and ? help.
export function letterOf({ key, code }) {
  if (key === "?") return "h";
  return /^[a-z]$/i.test(key) ? key.toLowerCase() : LETTERS[code];
}

// Return the answer that the key gives, as [choice, strength]; undefined for every other key.
export function answerOf({ key, code, shiftKey }, { hasStrength }) {
  const place = /^(?:Digit|Numpad)([1-5])$/.exec(code);
  if (hasStrength && place && !shiftKey) return ROW[Number(place[1]) - 1];
  const side = SIDES[key];
  if (!side || (shiftKey && !hasStrength)) return undefined;
  if (!hasStrength || side === "same") return [side, null];
  return [side, shiftKey ? 2 : 1];
}

export function isTyping({ target }) {
  return target.matches("input, textarea, select, [contenteditable]");
}
