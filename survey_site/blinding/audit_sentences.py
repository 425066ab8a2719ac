"""What the findings of an audit mean, in sentences: for the page, the command and whoever has to mend it."""

from survey_site.blinding.audit_statistics import ALARM_BELOW, TOGETHER, Finding, Power

# What to do about each observable; of the headers, one sentence does for all.
REMEDIES = {
    "Side": "One arm stands on the left too often; look at how the sides are drawn.",
    "Place in the sequence": "When a pair is shown goes with which arm stands on the left.",
    "Code of the trial": "The codes are not random.",
    "Page": "Something in the page besides its images goes with the sides; compare two pages' sources.",
    "Answer of the API": "Something in the API's answer goes with the sides; compare two answers.",
    "Reply to the vote": "Something in the reply to a vote goes with the sides; compare two replies.",
    "Order in the page": "The page names the images in the order of their arms.",
    "Tag of the image": "The images' tags differ by arm; compare their attributes.",
    "Around the image": "What stands around the images in the page differs by arm.",
    "Address of the image": "The images' addresses differ by arm.",
    "Status": "One arm's images are answered with another status; see whether all its files are there.",
    "Length in bytes": "The images of a pair are not padded to one length; see what changes them on the way.",
    "Size in pixels": "One arm's images have other sizes in pixels. Make them equal, and upload them again.",
    "Kind of file": "One arm's files have another format or depth. Upload the images again.",
    "Texts in the file": "One arm's files hold more than pixels. Upload the images again: only pixels are kept.",
    "Encoder of the file": "One arm's files were written by another program. Upload the images again.",
    "End of the picture": "One arm's files take more or fewer bytes, and not only because of their pixels.",
    "What follows the picture": "Behind the pictures there is something that differs by arm.",
    "Time of the first answer": "One arm's images come more slowly the first time; see where their files lie.",
    "Time of later answers": "One arm's images come more slowly; see where their files lie.",
    TOGETHER: "Several weak signs together tell the arm.",
}
HEADER = "This header of the images' answers differs by arm; remove it where it is set, be it in a proxy."


def remedy(name: str) -> str:
    """Say what it means that this observable tells the arm, and what to do."""
    return REMEDIES.get(name, HEADER)


def sentence_on(finding: Finding) -> str:
    """Say how well one observable told the arm."""
    if finding.auc is None or finding.p_holm is None:
        return f"{finding.name}: the same for both images of all {finding.n_pairs} pairs."
    right = f"guesses the arm right in {finding.auc:.0%} of {finding.n_pairs} pairs"
    if not finding.is_alarm:
        return f"{finding.name}: {right}; chance does as well."
    return f"{finding.name}: {right} (Holm p = {finding.p_holm:.4f}). {remedy(finding.name)}"


def sentence_on_power(power: Power) -> str:
    """Say what so many pairs can find, and what they cannot."""
    if not power.can_alarm or power.share is None:
        return (
            f"{power.n_groups} pairs are too few to find anything: even what told the arm in every pair could be "
            f"chance, at {ALARM_BELOW:.0%} and {power.n_tested} things looked at. Have 20 or more."
        )
    return (
        f"{power.n_groups} pairs find, four times out of five, what guesses the arm right in {power.share:.0%} of "
        "the pairs or more. Weaker signs, and those that only the pixels give, are not looked for."
    )
