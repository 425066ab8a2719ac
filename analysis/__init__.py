"""The statistics of preference studies: numpy and scipy, no Django, no rows.

`analyse(Votes.from_rows(...))` or `analyse(read_csv(path))` gives a frozen `Report`.
"""

from analysis.plan import InvalidPlan, Plan
from analysis.preference import InvalidThreshold
from analysis.records import Unavailable
from analysis.report import Pairing, Report, analyse
from analysis.vote_file import read_csv
from analysis.votes import InvalidVotes, Pair, VoteColumns, Votes

__all__ = [
    "InvalidPlan",
    "InvalidThreshold",
    "InvalidVotes",
    "Pair",
    "Pairing",
    "Plan",
    "Report",
    "Unavailable",
    "VoteColumns",
    "Votes",
    "analyse",
    "read_csv",
]
