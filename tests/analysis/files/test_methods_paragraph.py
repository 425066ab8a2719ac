import re
from dataclasses import replace

from analysis import Plan, analyse
from analysis.files.citations import publications
from analysis.files.methods_paragraph import cited_in, methods_latex, methods_text, references_of
from analysis.files.methods_sentences import methods_sentences
from analysis.plan import Headline, Stopping, StoppingRule
from tests.analysis.files.reports import FIXTURE, WITH_A_REPORT, degenerate, four_arms, planned, strange_names, table_2
from tests.analysis.logs import log, pair_of


def test_the_paragraph_holds_the_study_s_own_numbers() -> None:
    text = methods_text(table_2())
    assert "in 200 comparisons, choosing one of the two or Same: 5018 votes by 92 raters, 19 to 36 (median 25)" in text
    assert (
        "The net preference for robust over vanilla was +8.0 points (95 % interval 1.7 to 14.3), t(38.9) = 2.56, "
        "p = 0.014; the variance was 4.5 times that of independent votes by comparisons and 3.3 times by raters."
    ) in text


def test_a_study_without_a_plan_is_called_exploratory() -> None:
    assert "every figure is exploratory" in methods_text(table_2())
    assert "were fixed before the votes" not in methods_text(table_2())


def test_a_plan_is_named_by_its_hash() -> None:
    text = methods_text(planned())
    assert f"SHA-256 of the plan {planned().plan.sha256}" in text
    assert "whatever it does not name is exploratory" in text
    assert "preferring an image at 50 and 66.7 %" in text


def test_the_planned_headline_and_stopping_rule_are_those_that_are_described() -> None:
    stopping = Stopping(rule=StoppingRule.NORMAL_MIXTURE, rho=120, first_look_after_raters=12)
    text = methods_text(analyse(FIXTURE, plan=Plan(headline=Headline.SIDE_SHARE, stopping=stopping)))
    assert "Of the votes that chose a side, 55.5 % (95 % interval 51.1 to 59.9) chose robust" in text
    assert "any look after 12 raters at which a normal-mixture boundary was crossed (alpha 0.05, rho 120)" in text


def test_raters_whom_a_filter_left_out_are_counted() -> None:
    stuck = [(f"q{n}", f"p{pair}", "a") for n in range(4) for pair in range(12)]
    crossed = [(f"r{n}", f"p{pair}", "ab"[(n * pair) % 5 % 2]) for n in range(12) for pair in range(12)]
    votes = log([*crossed, *stuck])
    report = analyse(votes, plan=Plan(filters=("position@1",)))
    out = len(report.screening.raters_left_out)
    assert f"The planned filter position@1 left out {out} rater" in methods_text(report)
    assert "No rater was left out." in methods_text(analyse(votes))


def test_simulated_votes_are_called_simulated_first() -> None:
    text = methods_text(replace(table_2(), simulated=True))
    assert text.startswith("Simulated raters compared images of robust and vanilla")
    assert "The votes were simulated by a program" in text


def test_what_was_not_judged_is_counted() -> None:
    report = replace(table_2(), unjudged=3, gold_votes=1)
    assert "3 comparisons without a vote count as no preference." in methods_text(report)
    assert "1 vote on gold comparisons" in methods_text(report)


def test_with_several_arms_the_ratings_are_described() -> None:
    text = methods_text(four_arms())
    assert "images of a, b, c and d in 24 comparisons" in text
    assert "Davidson's model, Bradley-Terry with ties (Bradley and Terry, 1952; Davidson, 1970)" in text
    assert four_arms().headline in text
    assert text.count(" over ") >= 6


def test_the_list_of_references_is_what_the_text_cites() -> None:
    text, references = methods_text(four_arms()).split("\n\nReferences\n")
    for publication in cited_in(four_arms()):
        assert publication.in_words() in references
        assert publication.short.split(" (")[0] in text
    assert len(references.splitlines()) == len(cited_in(four_arms()))


def test_the_latex_cites_the_keys_of_the_references() -> None:
    cited = {key for keys in re.findall(r"\\cite\{([^}]+)\}", methods_latex(table_2())) for key in keys.split(",")}
    assert cited == {publication.key for publication in cited_in(table_2())}
    assert cited <= {publication.key for publication in references_of(table_2())} <= set(publications())


def test_every_citation_of_every_study_is_in_the_references() -> None:
    for report in (table_2(), planned(), four_arms(), strange_names(), *map(degenerate, WITH_A_REPORT)):
        assert "[@" not in methods_text(report)
        assert "[@" not in methods_latex(report)


def test_where_nothing_can_be_tested_the_paragraph_says_why() -> None:
    assert "Nothing could be tested: every vote is Same" in methods_text(degenerate("every vote is Same"))
    assert "The preference could not be tested: votes on one pair" in methods_text(degenerate("one pair"))


def test_a_small_study_is_counted_in_the_singular() -> None:
    first = next(methods_sentences(analyse(log(pair_of(1, 0)))))
    assert first == (
        "Raters compared images of robust and vanilla in 1 comparison, choosing one of the two or Same: 1 vote by "
        "1 rater, 1 on each."
    )
