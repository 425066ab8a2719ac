"""K arms on one scale: Bradley-Terry ratings with ties, their errors, and the leaderboard."""

from analysis.ranking.leaderboard import Leaderboard, LeaderboardRow, WinMatrix
from analysis.ranking.ratings import (
    BradleyTerry,
    ComponentRating,
    Contrast,
    Davidson,
    DavidsonWithPosition,
    Identifiability,
    LikelihoodRatio,
    PairwiseFamily,
    PairwiseNet,
    PenalisedRating,
    PlainRating,
    RaoKupper,
)

__all__ = [
    "BradleyTerry",
    "ComponentRating",
    "Contrast",
    "Davidson",
    "DavidsonWithPosition",
    "Identifiability",
    "Leaderboard",
    "LeaderboardRow",
    "LikelihoodRatio",
    "PairwiseFamily",
    "PairwiseNet",
    "PenalisedRating",
    "PlainRating",
    "RaoKupper",
    "WinMatrix",
]
