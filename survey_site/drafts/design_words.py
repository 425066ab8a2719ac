"""How a design reads: what is set, in sentences for a researcher."""

from collections.abc import Iterator

from survey_site.design.designs import Checks, Design, Entry, Order, Outcome, Page, Pairing, Sampling, Welcome

OUTCOMES = {
    Outcome.COMPLETE: "Complete",
    Outcome.SCREENED_OUT: "Screened out",
    Outcome.QUOTA_FULL: "Quota full",
    Outcome.NO_CONSENT: "No consent",
    Outcome.RETURNED: "Returned",
    Outcome.TIMED_OUT: "Timed out",
}
WAYS = {
    "open": "Anyone with the link",
    "invited": "Invited raters only, each with a code of their own",
    "platform": "Raters whom a crowd platform sends",
}
PLATFORMS = {"prolific": "Prolific", "mturk": "Mechanical Turk", "connect": "CloudResearch Connect", "other": "Another"}
PAIRINGS = {
    Pairing.ALL: "Every two arms",
    Pairing.BASELINE: "One arm against each of the others",
    Pairing.BLOCK: "Balanced incomplete block: each class and seed shows some pairs of arms, all pairs equally often",
}
SAMPLINGS = {
    Sampling.LEAST_JUDGED: "Least judged first",
    Sampling.ACTIVE: "Active: the two arms from whose comparison most is learnt (ASAP); four arms and more",
}
LANGUAGES = {"": "That of the rater's browser", "en": "English", "de": "German", "ar": "Arabic"}
CHECK_KINDS = {
    "gold": "Gold: a pair with a known answer",
    "identical": "Identical: an image beside itself, Same is expected",
    "repeat": "Repeat: an own earlier pair with its sides swapped",
}

Described = tuple[tuple[str, tuple[str, ...]], ...]


def described(design: Design) -> Described:
    """Return a design as a reader wants it: what is set, and the sentences that say how."""
    return (
        ("Who may rate", tuple(_entry(design.entry))),
        ("Before the first pair", tuple(_welcome(design.welcome)) or ("Only the question and a button to start",)),
        ("Order and votes", tuple(_order(design.order))),
        ("Checks", tuple(_checks(design.checks))),
        ("The page", tuple(_page(design.page))),
    )


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, such as 1 rater, 2 raters."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _entry(entry: Entry) -> Iterator[str]:
    sender = PLATFORMS.get(entry.platform, "")
    yield WAYS[entry.way] + (f": {sender.lower() if entry.platform == 'other' else sender}" if sender else "")
    if entry.raters_wanted:
        yield f"At most {counted(entry.raters_wanted, 'rater')}"
    if entry.keeps_platform_ids:
        yield "The platform's ids are kept as they are, beside their keyed hash"
    told = [OUTCOMES[outcome] for outcome, ending in sorted(entry.endings.items()) if ending.code or ending.url]
    if told:
        yield f"Codes or addresses at the end for: {', '.join(told)}"


def _welcome(welcome: Welcome) -> Iterator[str]:
    texts = {"Consent": welcome.consent, "Instructions": welcome.instructions, "Thanks": welcome.thanks}
    said = [name for name, text in texts.items() if text]
    if said:
        yield f"Own texts: {', '.join(said)}"
    if welcome.questionnaire:
        items = ", ".join(item.key for item in welcome.questionnaire)
        yield f"{counted(len(welcome.questionnaire), 'question')}: {items}"
    if any(option.screens_out or option.quota for item in welcome.questionnaire for option in item.options):
        yield "Some answers screen out or have a quota"
    if welcome.practice:
        yield f"{counted(welcome.practice, 'practice trial')} with the right answer told"


def _order(order: Order) -> Iterator[str]:
    each = f"{counted(order.trials_per_rater, 'comparison')} for each rater" if order.trials_per_rater else ""
    yield each or "Every comparison for each rater, as long as votes are wanted"
    yield PAIRINGS[order.pairing] + (f": {order.baseline}" if order.baseline else "")
    if order.pairing is Pairing.BLOCK and order.pairs_per_stimulus:
        yield f"{counted(order.pairs_per_stimulus, 'pair')} of arms for each class and seed"
    yield SAMPLINGS[order.sampling].partition(":")[0] + (
        f", {_per_cent(order.exploration)} drawn uniformly" if order.sampling is Sampling.ACTIVE else ""
    )
    if order.votes_min or order.votes_max:
        limits = {"at least": order.votes_min, "at most": order.votes_max}
        yield "Votes on a comparison: " + ", ".join(f"{word} {n:,}" for word, n in limits.items() if n)
    if order.break_after:
        yield f"A break after every {counted(order.break_after, 'comparison')}"


def _checks(checks: Checks) -> Iterator[str]:
    if checks.per_block:
        yield f"{checks.per_block} of every {checks.block} trials: {', '.join(checks.kinds)}"
    else:
        yield "None"
    chosen = [pair for pair in checks.gold if not pair.for_practice]
    if chosen:
        yield f"{counted(len(chosen), 'gold pair')} of your own"
    if len(chosen) < len(checks.gold):
        yield f"{counted(len(checks.gold) - len(chosen), 'pair')} of your own for practice"
    if checks.per_block:
        right, alike = _per_cent(checks.least_right), _per_cent(checks.least_repeated)
        yield f"Flagged: below {right} right or {alike} repeated alike"
    yield f"Flagged as fast: answers below {checks.fast_ms:,} ms"


def _page(page: Page) -> Iterator[str]:
    yield {"auto": "Small images pixelated", "pixelated": "Images pixelated", "smooth": "Images smooth"}[page.scaling]
    yield f"Frame {'as the device is set' if page.frame == 'auto' else page.frame}"
    yield f"Language: {LANGUAGES[page.language] if page.language else 'that of the browser'}"
    if page.questions:
        yield f"Further questions: {', '.join(question.text for question in page.questions)}"
    if page.strength:
        yield "Much or slightly is asked"
    if page.reason:
        yield "A reason may be given"
    if not page.takes_back:
        yield "Answers cannot be taken back"


def _per_cent(share: float) -> str:
    return f"{100 * share:g}\N{NO-BREAK SPACE}%"
