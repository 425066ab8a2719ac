"""An analysis plan says one thing, has one hash, and survives its files."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import InvalidPlan, Plan, analyse
from analysis.plan import Correction, Families, Headline, Stopping, StoppingRule, planned_sections
from analysis.rater_filters import FILTERS

TABLE_2 = Path(__file__).parent.parent / "data" / "table2_votes.csv"

thresholds = st.lists(
    st.one_of(st.integers(50, 99).map(str), st.just("66.7"), st.just("200/3")), min_size=1, max_size=6, unique=True
)
stoppings = st.builds(
    Stopping,
    rule=st.sampled_from(StoppingRule),
    alpha=st.floats(1e-9, 0.49),
    first_look_after_raters=st.integers(2, 10**6),
    rho=st.floats(1e-300, 1e300),
    looks=st.integers(1, 100),
    planned_raters=st.integers(1, 10**6),
)
plans = st.builds(
    Plan,
    question=st.text(st.characters(exclude_categories=["Cs"])),
    filters=st.lists(st.sampled_from(sorted(FILTERS)), unique=True).map(tuple) if FILTERS else st.just(()),
    headline=st.sampled_from(Headline),
    thresholds=thresholds.map(tuple),
    families=st.builds(Families, st.sampled_from(Correction), st.sampled_from(Correction)),
    stopping=stoppings,
)


@settings(max_examples=50)
@given(plans)
def test_a_plan_reads_back_from_its_toml_to_the_same_hash(plan: Plan) -> None:
    again = Plan.from_toml(plan.as_toml())
    assert again == plan
    assert again.sha256 == plan.sha256


@settings(max_examples=50)
@given(plans)
def test_a_plan_reads_back_from_its_json(plan: Plan) -> None:
    assert Plan.of(plan.as_json()) == plan


def test_the_hash_of_the_usual_plan_never_changes() -> None:
    # sha256sum of the canonical text, which papers may have printed: a change of it breaks every plan in the world.
    canonical = (
        '{"families":{"arms":"holm","classes":"fdr_bh"},"filters":[],"headline":"two_way_net","question":"",'
        '"stopping":{"alpha":0.05,"first_look_after_raters":10,"looks":5,"planned_raters":null,"rho":150.0,'
        '"rule":"fixed"},"thresholds":["50","60","70","80"],"version":1}'
    )
    assert Plan().canonical == canonical
    assert Plan().sha256 == "afb45370d926a44f9af783fca12c5e197af412f29db0a3aaf633171eda4e6bf8"


def test_the_order_and_spelling_of_a_file_leave_the_hash_alone() -> None:
    one = Plan.from_toml('question = "Which?"\nthresholds = [60, "66.7"]\n[stopping]\nrho = 150\nalpha = 0.05')
    other = Plan.from_toml(
        'thresholds = ["60", 66.7]\nquestion = "Which\\u003F"\n[stopping]\nalpha = 5e-2\nrho = 1.5e2'
    )
    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    "change",
    [
        "question = 'Other?'",
        "headline = 'two_way_side_share'",
        "thresholds = [50, 60, 70]",
        "families.arms = 'none'",
        "stopping.alpha = 0.01",
        "stopping.planned_raters = 25",
    ],
)
def test_every_entry_counts_in_the_hash(change: str) -> None:
    assert Plan.from_toml(change).sha256 != Plan().sha256


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("thresholds = [49]", "thresholds: .*outside 50 to 100"),
        ("thresholds = [100]", "thresholds: .*outside 50 to 100"),
        ("thresholds = []", "thresholds: 0 are given"),
        ("thresholds = [60, '60.0']", "thresholds: 60.0 is there twice"),
        ("thresholds = [nan]", "thresholds: 'nan' is not a percentage"),
        ("thresholds = [true]", "thresholds: True is not a percentage"),
        ("thresholds = 60", "thresholds: 60 is not a list"),
        ("filters = ['nice_raters@1']", "filters: 'nice_raters@1' is not a filter"),
        ("headline = 'vote_sign_binomial'", "headline: .* is not one of two_way_net, two_way_side_share"),
        ("families.arms = 'bonferroni'", "families.arms: .* is not one of holm, fdr_bh, none"),
        ("families.pairs = 'holm'", "families.pairs: there is no such entry; there are arms, classes"),
        ("tresholds = [50]", "tresholds: there is no such entry"),
        ("stopping.rule = 'peek'", "stopping.rule"),
        ("stopping.alpha = 5", "stopping.alpha: 5.0 is not between 0 and 0.5"),
        ("stopping.alpha = nan", "stopping.alpha: nan"),
        ("stopping.rho = inf", "stopping.rho: inf"),
        (f"stopping.rho = 1{'0' * 400}", "stopping.rho: inf"),
        ("stopping.rho = '150'", "stopping.rho: '150' is not a number"),
        ("stopping.looks = 0", "stopping.looks: 0 is not from 1 to 100"),
        ("stopping.looks = 2.5", "stopping.looks: 2.5 is not a whole number"),
        ("stopping.first_look_after_raters = 1", "needs at least 2 raters"),
        ("stopping.rule = 'planned_looks'", "stopping.planned_raters: .* must be given"),
        ("stopping.planned_raters = 0", "stopping.planned_raters: 0"),
        ("stopping = 3", "stopping: 3 is not a table"),
        ("version = 2", "version: 2 is not known"),
        ("question = 3", "question: 3 is not a text"),
        ("question =", "not readable TOML"),
        ("question = " + "[" * 100_000, "not readable TOML"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(toml: str, sentence: str) -> None:
    with pytest.raises(InvalidPlan, match=sentence):
        Plan.from_toml(toml)


def test_half_a_character_is_refused_before_it_meets_a_file() -> None:
    with pytest.raises(InvalidPlan, match="half a character"):
        Plan.of({"question": "\ud800"})


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_bytes(b'question = "caf\xe9?"')
    with pytest.raises(InvalidPlan, match="not UTF-8 text \\(byte 15\\)"):
        Plan.read(tmp_path / "plan.toml")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_bytes('\ufeffquestion = "Which?"\r\nheadline = "two_way_net"\r\n'.encode())
    assert Plan.read(tmp_path / "plan.toml") == Plan(question="Which?")


def test_the_usual_plan_fixes_the_table_the_shares_the_headline_and_the_families() -> None:
    assert planned_sections(Plan()) == {
        "shares",
        "threshold_table",
        "tests.two_way_net",
        "tests.two_way_net_position_adjusted",
        "bradley_terry.pairwise",
        "classes",
        "leaderboard",
    }


def test_a_section_is_planned_with_all_that_is_below_it_and_nothing_beside_it() -> None:
    plan = Plan()
    assert plan.names("threshold_table.60.percent")
    assert plan.names("tests.two_way_net")
    assert not plan.names("tests")
    assert not plan.names("tests.two_way_net_of_something_else")
    assert not plan.names("tests.vote_sign_binomial")
    assert not plan.names("agreement")


def test_another_headline_makes_the_net_preference_exploratory() -> None:
    plan = Plan(headline=Headline.SIDE_SHARE)
    assert plan.names("tests.two_way_side_share")
    assert not plan.names("tests.two_way_net")
    assert not plan.names("tests.two_way_net_position_adjusted")


def test_the_leaderboard_is_planned_only_under_the_correction_that_its_ranks_use() -> None:
    for correction in Correction:
        plan = Plan(families=Families(arms=correction))
        assert plan.names("bradley_terry.pairwise")
        assert plan.names("leaderboard.contrasts") == (correction is Correction.HOLM)


def test_leaving_raters_out_is_planned_where_the_plan_names_a_filter() -> None:
    assert not Plan().names("screening.applied")
    assert Plan(filters=("gold@1",)).names("screening.applied")


@pytest.mark.parametrize("rule", StoppingRule)
def test_every_planned_section_is_one_of_the_report(rule: StoppingRule) -> None:
    plan = Plan(filters=("gold@1",), stopping=Stopping(rule=rule, planned_raters=40))
    report = analyse(TABLE_2, plan=plan, rounds=0).as_json()
    for section in planned_sections(plan):
        entry: object = report
        for name in section.split("."):
            assert isinstance(entry, dict)
            assert entry.get(name) is not None, section
            entry = entry[name]


def test_monitoring_is_planned_only_by_the_rule_that_uses_it() -> None:
    fixed, mixture, looks = (
        Plan(stopping=Stopping(rule=rule, planned_raters=40))
        for rule in (StoppingRule.FIXED, StoppingRule.NORMAL_MIXTURE, StoppingRule.PLANNED_LOOKS)
    )
    assert [plan.names("sequential.two_way_normal_mixture") for plan in (fixed, mixture, looks)] == [False, True, False]
    assert [plan.names("sequential.planned_looks") for plan in (fixed, mixture, looks)] == [False, False, True]


def test_the_plan_that_the_documentation_shows_can_be_followed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "plans-and-bundles.md").read_text(encoding="utf-8")
    plan = Plan.from_toml(page.split("```toml\n")[1].split("```")[0])
    assert plan.stopping == Stopping(StoppingRule.NORMAL_MIXTURE, rho=158.0, planned_raters=25)
