"""The rating of K arms: checked for whether it exists, then fitted in every way the report shows."""

from __future__ import annotations

from analysis.ranking.counts import Tally
from analysis.ranking.davidson import davidson, davidson_with_position
from analysis.ranking.fallbacks import davidson_by_component, davidson_penalised
from analysis.ranking.identifiability import identifiability, obstacle
from analysis.ranking.pairwise import pairwise_nets
from analysis.ranking.plain import bt_half_tie, bt_side_only
from analysis.ranking.rao_kupper import rao_kupper
from analysis.ranking.ratings import BradleyTerry, Matrix, PlainRating
from analysis.records import Method, Unavailable
from analysis.votes import Ints, Votes

TIES = "Davidson (1970), JASA 65:317"
CLUSTERED = "Cameron, Gelbach, Miller (2011), J. Business & Economic Statistics 29:238; Kish (1965), Survey Sampling"
PLAIN = "Bradley, Terry (1952), Biometrika 39:324"

METHODS = (
    Method(
        "davidson",
        "Davidson's ratings, with ties, two-way clustered by group and rater",
        "one number per arm tells all preferences; these groups and raters stand for others of their kind",
        f"{TIES}; {CLUSTERED}",
        "The higher an arm's rating, the more often it is preferred over the others; 70 points of Elo more are about "
        "60 % of the votes that choose a side.",
    ),
    Method(
        "davidson_with_position",
        "Davidson's ratings with the lean to a side taken out",
        "as Davidson's ratings; standing left is worth the same everywhere",
        f"Davidson, Beaver (1977), Biometrics 33:693; {CLUSTERED}",
        "What the ratings would be if it made no difference which image stood on the left.",
    ),
    Method(
        "davidson_penalised",
        "Davidson's ratings with prior votes",
        "as Davidson's ratings; prior votes keep them finite, so they lean towards equality",
        TIES,
        "A rough order of the arms for a log that does not determine ratings yet; not a result.",
    ),
    Method(
        "davidson_by_component",
        "Davidson's ratings of each linked part of the arms",
        "as Davidson's ratings, within each part alone",
        TIES,
        "Ratings that may be compared within their own part of the arms, never with those of another part.",
    ),
    Method(
        "bt_half_tie",
        "Bradley-Terry ratings, a Same as half a win each",
        "a Same says that two arms are equal",
        PLAIN,
        "How the ratings come out when every Same is split between the two arms; nearer together than Davidson's.",
    ),
    Method(
        "bt_side_only",
        "Bradley-Terry ratings of the votes that chose a side",
        "a Same says nothing",
        PLAIN,
        "How the ratings come out when every Same is left out.",
    ),
    Method(
        "rao_kupper",
        "Rao and Kupper's ratings, with ties",
        "a vote is Same where two arms differ by less than a threshold",
        "Rao, Kupper (1967), JASA 62:194",
        "Another model of Same: if its log-likelihood is much higher than Davidson's, mind Davidson's ratings.",
    ),
    Method(
        "pairwise",
        "Net preference between every two arms, two-way clustered",
        "as the net preference, once for each pairing; p corrected for their number",
        f"{CLUSTERED}; Holm (1979), Scandinavian J. Statistics 6:65; Benjamini, Hochberg (1995), JRSS B 57:289",
        "How much more often one of two arms was preferred, from their own comparisons alone and without a model.",
    ),
    Method(
        "leaderboard",
        "Leaderboard with ranges of ranks",
        "as Davidson's ratings; contrasts corrected by Holm's method",
        "Holm (1979), Scandinavian J. Statistics 6:65",
        "An arm's best and worst rank are the ones that these votes cannot exclude.",
    ),
)


def bradley_terry(votes: Votes) -> BradleyTerry | Unavailable:
    """Rate the arms of a log; `no_votes` before the first.

    `davidson` holds `disconnected_comparison_graph`, `no_side_votes` or `separation` where the ratings do not exist.
    """
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    tally = Tally.of(votes)
    found = identifiability(tally)
    problem = obstacle(found)
    pairwise, family = pairwise_nets(tally)
    return BradleyTerry(
        arms=tally.arms,
        identifiability=found,
        wins=_matrix(tally.wins),
        ties=_matrix(tally.ties),
        davidson=problem or davidson(tally),
        davidson_with_position=None if problem else davidson_with_position(tally),
        davidson_penalised=davidson_penalised(tally) if problem and found.connected else None,
        davidson_by_component=None if found.connected else davidson_by_component(tally),
        bt_half_tie=_beside(problem, bt_half_tie(tally)),
        bt_side_only=_beside(problem, bt_side_only(tally)),
        rao_kupper=None if problem else rao_kupper(tally),
        pairwise=pairwise,
        pairwise_family=family,
    )


def _matrix(counts: Ints) -> Matrix:
    return tuple(tuple(row) for row in counts.tolist())


def _beside(problem: Unavailable | None, fit: PlainRating | Unavailable) -> PlainRating | Unavailable | None:
    # One error says it: where Davidson's ratings do not exist, another missing fit is left out, not an error again.
    return None if problem and isinstance(fit, Unavailable) else fit
