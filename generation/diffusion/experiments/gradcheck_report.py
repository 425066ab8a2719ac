"""The report of GradCheck on SportBalls: the papers' numbers beside ours, as Markdown with figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from generation.diffusion.cards import CardTable, percent
from generation.diffusion.datasets import CLASS_LABELS
from generation.diffusion.experiments.claims import Claim, Verdict, below_zero, larger
from generation.diffusion.experiments.gradcheck import CLEAN, LEVELS, NOISED, GradcheckResult
from generation.diffusion.experiments.measures import Measured
from generation.diffusion.experiments.pages import Page, claims_table, interval_text, labelled_sheet, measured_rows
from generation.diffusion.plots import Form, stability_plot

Floats = npt.NDArray[np.float64]
# Vaeth et al. (2024), abstract and results: SportBalls with 9 to 25 px, MobileNets, 1000 steps.
PAPER = {"noise-trained": ("81.25 %", "38.053"), "clean, x0 and ADAM": ("85.94 %", "24.348")}
HIGH_NOISE = 500

NOT_THE_SAME = (
    "Theirs and ours are not the same quantity. The balls here are 20 to 40 px (theirs 9 to 25) and drawn by other "
    "code; the guides are small plain networks (theirs MobileNets); the denoiser was trained by this project and is "
    "told its null class (theirs is unconditional); the sampler takes {steps} of 1000 levels; the Frechet distance is "
    "on the judge's {features} features of {n} images (theirs the FID, on Inception's). So percentages and distances "
    "can be compared in their order only. The scale is {scale:g} for every arm, chosen in a pilot on other seeds: with "
    "gradients of length 1, the papers' 0.04 moves an image of 64 px by less than can be seen."
)


def gradcheck_page(result: GradcheckResult, *, command: str, made: Mapping[str, str]) -> Page:
    """The whole report and its figures. made: facts of the run (device, versions, duration)."""
    plan = result.plan
    intro = (
        "Can a classifier that never saw noise guide a diffusion model? Two guides of one architecture, one trained on "
        f"clean SportBalls and one on noised ones, guide the same denoiser on the same {plan.n} seeds without telling "
        "it the class. An independent judge says in how many images the wanted class came out. After GradCheck (Vaeth "
        "et al. 2024, arXiv 2406.17399) and its successor (Vaeth et al. 2025, arXiv 2507.00687)."
    )
    page = Page(title="GradCheck on SportBalls", intro=intro, command=command, made=made)
    page.add_text(NOT_THE_SAME.format(steps=plan.steps, n=plan.n, scale=plan.scale, features=128))
    page.add("What agrees and what does not", claims_table(claims(result)))
    page.add("A clean-trained classifier on noised images", _noised_table(result))
    page.add("What the guides make", _arms_table(result.arms))
    sheet = labelled_sheet(result.images, class_labels=CLASS_LABELS)
    page.add_picture("gradcheck-images.png", sheet, "Seed-matched images: the wanted class, and what each arm made.")
    page.add_picture(
        "gradcheck-stability.svg",
        stability_plot(result.stability, form=Form.SVG),
        "Cosine similarity of consecutive gradients, and their norms, as each arm applies them (after stabilising and "
        f"scaling); mean and quartiles over {plan.traced} images.",
    )
    page.add("Mean cosine similarity of consecutive gradients", _cosine_table(result))
    return page


def claims(result: GradcheckResult) -> list[Claim]:
    """Each finding of the papers that these numbers can speak to."""
    arms = {arm.arm: arm for arm in result.arms}
    both, clean, noised = arms["clean, x0 and ADAM"], arms["clean"], arms["noise-trained"]
    return [
        _collapse(result),
        _more_often("Unstabilised, a clean-trained guide is worse than a noise-trained one", noised, clean),
        _more_often("x0-prediction alone mends the clean-trained guide", arms["clean, x0"], clean),
        _more_often("ADAM alone mends it", arms["clean, ADAM"], clean),
        _more_often("x0-prediction and ADAM together mend it", both, clean),
        _more_often("x0-prediction and EMA together mend it (2025)", arms["clean, x0 and EMA"], clean),
        _more_often(
            "x0-prediction and ADAM make it better than the noise-trained guide",
            both,
            noised,
            theirs="85.94 % against 81.25 %",
        ),
        _closer(result, both, noised),
        _more_often(
            "Stabilising a guide that needs none does harm", noised, arms["noise-trained, x0 and ADAM"], theirs="stated"
        ),
        _steadier(result),
    ]


def _collapse(result: GradcheckResult) -> Claim:
    rows = {row["t"]: row for row in result.noised_accuracy[CLEAN]}
    clean, noised = rows[0], rows[HIGH_NOISE]
    chance_within = noised["interval"][0] <= 0.25 <= noised["interval"][1]
    fell = larger(clean["interval"], noised["interval"])
    return Claim(
        statement="A clean-trained classifier falls to chance on noised images",
        theirs="99.2 % to 26.65 %",
        ours=f"{percent(clean['accuracy'])} at t = 0, {percent(noised['accuracy'])} at t = {HIGH_NOISE} "
        f"(n = {noised['n']}; chance is 25 %)",
        verdict=fell if chance_within or fell is not Verdict.AGREES else Verdict.UNDECIDED,
    )


def _more_often(statement: str, better: Measured, worse: Measured, *, theirs: str = "stated") -> Claim:
    return Claim(
        statement=statement,
        theirs=theirs,
        ours=f"{percent(better.accuracy)} ({interval_text(better.accuracy_interval, share=True)}) against "
        f"{percent(worse.accuracy)} ({interval_text(worse.accuracy_interval, share=True)})",
        verdict=larger(better.accuracy_interval, worse.accuracy_interval),
    )


def _closer(result: GradcheckResult, closer: Measured, farther: Measured) -> Claim:
    return Claim(
        statement="Its images are also closer to the data than those of the noise-trained guide",
        theirs="24.348 against 38.053",
        ours=f"{closer.frechet:.2f} against {farther.frechet:.2f}, difference {result.mended.value:+.2f} "
        f"({interval_text(result.mended.interval)})",
        verdict=below_zero(result.mended.interval),
    )


def _steadier(result: GradcheckResult) -> Claim:
    clean, noised = result.stability["clean"].cosine, result.stability["noise-trained"].cosine
    # One number an image, so that the interval is over images and not over steps.
    difference = _image_means(clean) - _image_means(noised)
    spread = 1.96 * difference.std(ddof=1) / len(difference) ** 0.5
    interval = (difference.mean() - spread, difference.mean() + spread)
    return Claim(
        statement="Gradients of a clean-trained guide turn more from step to step than those of a noise-trained one",
        theirs="shown in a figure",
        ours=f"mean cosine {_image_means(clean).mean():.3f} against {_image_means(noised).mean():.3f}",
        verdict=below_zero(interval),
    )


def _image_means(cosine: Floats) -> Floats:
    return np.asarray(np.nanmean(cosine, axis=0), dtype=np.float64)


def _noised_table(result: GradcheckResult) -> CardTable:
    rows = []
    by_level = {name: {row["t"]: row for row in result.noised_accuracy[name]} for name in (CLEAN, NOISED)}
    for level in LEVELS:
        cells = [by_level[name][level] for name in (CLEAN, NOISED)]
        rows.append(
            [str(level), *(f"{percent(c['accuracy'])} ({interval_text(c['interval'], share=True)})" for c in cells)]
        )
    n = result.plan.held_out
    return CardTable(f"Accuracy by noise level t (n = {n} held-out SportBalls)", ["t", CLEAN, NOISED], rows)


def _arms_table(arms: Sequence[Measured]) -> CardTable:
    head = [
        "arm",
        "n",
        "wanted class found",
        "Frechet distance",
        "difference to unguided",
        "paper: accuracy",
        "paper: FID",
    ]
    rows = [[*cells, *PAPER.get(arm.arm, ("", ""))] for arm, cells in zip(arms, measured_rows(arms), strict=True)]
    return CardTable("Images judged, with 95 % intervals", head, rows)


def _cosine_table(result: GradcheckResult) -> CardTable:
    rows = [[name, f"{found.mean_cosine:.3f}"] for name, found in result.stability.items()]
    return CardTable(f"Mean over steps and {result.plan.traced} images", ["arm", "cosine"], rows)
