// How long an answer takes, how long the rater was elsewhere meanwhile, and how long the rest will take.

// Fewer answers say little about a rater's pace; older ones are from when it was slower.
const LEAST = 5;
const RECENT = 20;

export class Clock {
  constructor() {
    this.hiddenSince = document.hidden ? performance.now() : null;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.hiddenSince = performance.now();
      else if (this.hiddenSince !== null) {
        this.hidden += performance.now() - this.hiddenSince;
        this.hiddenSince = null;
      }
    });
    this.start(performance.now());
  }

  // From the frame in which both images stood on the screen.
  start(at) {
    this.at = at;
    this.hidden = 0;
  }

  read() {
    return { response_ms: Math.max(0, Math.round(performance.now() - this.at)), hidden_ms: Math.round(this.hidden) };
  }
}

export class Pace {
  constructor() {
    this.times = [];
    this.last = null;
  }

  // Time that passes until the next answer is not spent on a pair.
  rest() {
    this.last = null;
  }

  begin() {
    this.last ??= performance.now();
  }

  tick() {
    const now = performance.now();
    if (this.last !== null) this.times = [...this.times, now - this.last].slice(-RECENT);
    this.last = now;
  }

  // Return the minutes that `n` more answers will take, in honest steps; null before there is a pace.
  minutesFor(n) {
    if (this.times.length < LEAST) return null;
    const sorted = [...this.times].sort((one, other) => one - other);
    const minutes = (sorted[Math.floor(sorted.length / 2)] * n) / 60_000;
    if (minutes > 10) return 5 * Math.round(minutes / 5);
    return minutes < 1 ? 0 : Math.round(minutes);
  }
}
