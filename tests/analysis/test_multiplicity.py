import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from analysis.intervals import Floats
from analysis.multiplicity import METHODS, Correction, adjusted

# Benjamini and Hochberg (1995), section 4.1: fifteen p-values of a trial of thrombolysis.
PRINTED = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)


# Rounded, so that some are equal; few, as multipletests collects all garbage each time.
@pytest.mark.parametrize("ps", [np.random.default_rng(3).random(size).round(2) ** 2 for size in (1, 2, 7, 40)])
@pytest.mark.parametrize("method", ["holm", "fdr_bh"])
def test_corrected_p_values_are_statsmodels_s(method: str, ps: Floats) -> None:
    np.testing.assert_allclose(adjusted(ps, method=method), multipletests(ps, method=method)[1], atol=1e-12)


def test_the_printed_example_points_out_four_by_discovery_rate_and_three_by_any_error() -> None:
    # The paper: "reject the four hypotheses having p-values less than or equal to 0.013"; Bonferroni's are three.
    assert (adjusted(PRINTED, method=Correction.BH) <= 0.05).sum() == 4
    assert (adjusted(PRINTED, method=Correction.HOLM) <= 0.05).sum() == 3
    assert (adjusted(PRINTED, method=Correction.NONE) <= 0.05).sum() == 9


def test_without_correction_nothing_changes() -> None:
    assert adjusted([0.2, 0.01], method="none").tolist() == [0.2, 0.01]


@pytest.mark.parametrize("method", Correction)
def test_an_empty_family_stays_empty(method: Correction) -> None:
    assert adjusted([], method=method).tolist() == []


@pytest.mark.parametrize("method", Correction)
@given(ps=st.lists(st.floats(0, 1), min_size=1, max_size=12), shift=st.integers(0, 11))
def test_the_order_of_a_family_does_not_matter(method: Correction, ps: list[float], shift: int) -> None:
    there, back = adjusted(ps, method=method), adjusted(np.roll(ps, shift), method=method)
    np.testing.assert_allclose(np.roll(there, shift), back, atol=1e-12)


def test_an_unknown_correction_is_refused() -> None:
    with pytest.raises(ValueError, match="bonferroni"):
        adjusted([0.1], method="bonferroni")


def test_every_correction_is_explained() -> None:
    assert [method.name for method in METHODS] == [*Correction]
    assert all(method.explains for method in METHODS)
