"""K arms on one scale: Bradley-Terry ratings with ties, their errors, and the leaderboard."""

from analysis.ranking.fits import METHODS, bradley_terry
from analysis.ranking.leaderboard import Leaderboard, LeaderboardRow, WinMatrix, leaderboard
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
from analysis.ranking.resampling import RatingBootstrap, cluster_bootstrap

__all__ = [
    "METHODS",
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
    "RatingBootstrap",
    "WinMatrix",
    "bradley_terry",
    "cluster_bootstrap",
    "leaderboard",
]
