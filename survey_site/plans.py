"""Acts on analysis plans: change a draft's, freeze it when the study opens; and how a plan reads."""

from django.db import transaction
from django.db.models import Count

from analysis.plan import Correction, Headline, InvalidPlan, Plan, StoppingRule
from analysis.rater_filters import FILTERS
from generation.models import Image
from survey_site.models import Study

HEADLINES = {
    Headline.NET: "Net preference over all votes: first arm +1, second arm \N{MINUS SIGN}1, Same 0",
    Headline.SIDE_SHARE: "Share of the first arm among the votes that chose a side; Same is left out",
}
CORRECTIONS = {
    Correction.HOLM: "Holm: any false claim at all in at most 5 % of studies",
    Correction.BH: "Benjamini-Hochberg: at most 5 % of what is found is false, on average",
    Correction.NONE: "None: every p-value stands alone",
}
STOPPING_RULES = {
    StoppingRule.FIXED: "Fixed size: look once, when all planned votes are in",
    StoppingRule.NORMAL_MIXTURE: "Look after every rater: stop when the normal-mixture boundary is crossed",
    StoppingRule.PLANNED_LOOKS: "A few planned looks, each at a part of the significance level (Bonferroni)",
}
LONGEST_QUESTION = Study._meta.get_field("question").max_length or 300


class PlanFrozen(Exception):
    """The study has opened, so its plan can never change."""


def change_plan(study: Study, plan: Plan) -> Study:
    """Give a draft another plan, and its question where the plan has one. The only hand on a study's plan.

    Raises `PlanFrozen` once the study has opened, `InvalidPlan` for a question that does not fit the page.
    """
    if len(plan.question) > LONGEST_QUESTION:
        raise InvalidPlan(f"question: {len(plan.question)} characters are more than {LONGEST_QUESTION}; shorten it")
    with transaction.atomic():
        study = Study.objects.select_for_update().get(pk=study.pk)
        if study.status != Study.Status.DRAFT:
            raise PlanFrozen(
                "The plan was frozen when the study opened. What it does not name can still be looked at: it is "
                "marked exploratory on the results page."
            )
        study.question = plan.question or study.question
        study.plan = Plan.of({**plan.as_json(), "question": study.question}).as_json()
        study.save(update_fields=["question", "plan"])
    return study


def freeze_plan(study: Study) -> None:
    """Set the plan, with the study's question, and its hash on a study that is about to open; the caller saves it.

    Raises `InvalidPlan` where the stored plan cannot be followed.
    """
    plan = study.analysis_plan
    study.plan, study.plan_sha256 = plan.as_json(), plan.sha256


def plan_is_intact(study: Study) -> bool:
    """Tell whether a study's plan and question are still those that were frozen; True where nothing was."""
    return not study.plan_sha256 or study.analysis_plan.sha256 == study.plan_sha256


def stimuli_of(study: Study) -> int:
    """Count the classes and seeds that at least two of the study's arms have an image of: pairs for every two arms."""
    images = Image.objects.filter(batch__studies=study, arm__studies=study)
    stimuli = images.values("batch", "class_index", "seed").annotate(n=Count("arm")).filter(n__gte=2)
    return stimuli.order_by().count()


def described(plan: Plan) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return a plan as a reader wants it: what is fixed, and the sentences that say how."""
    return (
        ("Question", (plan.question,)),
        ("Headline", (HEADLINES[plan.headline],)),
        ("Thresholds", (f"More than {', '.join(plan.thresholds)} % of the votes that chose a side",)),
        ("Left out", tuple(f"{name}: {FILTERS[name].sentence}" for name in plan.filters) or ("No rater",)),
        ("Family of arms", (CORRECTIONS[plan.families.arms],)),
        ("Family of classes", (CORRECTIONS[plan.families.classes],)),
        ("Stopping", _stopping(plan)),
    )


def _stopping(plan: Plan) -> tuple[str, ...]:
    rule, stopping = STOPPING_RULES[plan.stopping.rule], plan.stopping
    size = (f"Planned: {stopping.planned_raters} raters",) if stopping.planned_raters else ()
    if stopping.rule is StoppingRule.FIXED:
        return (rule, *size)
    level = f"Significance level {stopping.alpha:g} over all looks"
    if stopping.rule is StoppingRule.PLANNED_LOOKS:
        return (rule, f"{stopping.looks} looks, evenly spaced", level, *size)
    first = f"First look after {stopping.first_look_after_raters} raters"
    return (rule, first, level, f"rho = {stopping.rho:g}", *size)
