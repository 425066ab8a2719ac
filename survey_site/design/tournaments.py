"""Round-robin tournaments, from which balanced incomplete blocks are cut."""

import random
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import TypeVar

Player = TypeVar("Player")


def endless_blocks(
    players: Sequence[Player], *, size: int, rng: random.Random
) -> Iterator[tuple[tuple[Player, Player], ...]]:
    """Yield blocks of so many pairs of players, cut one after the other from a tournament that starts anew at its end.

    In any run of blocks no two pairs come a different number of times by more than one. Players differ by at most one
    where a block is a whole round (half the players, rounded down), and by at most two elsewhere.
    """
    rounds = tournament(rng.sample(players, k=len(players)))
    pairs = cycle([pair for pairs in rng.sample(rounds, k=len(rounds)) for pair in rng.sample(pairs, k=len(pairs))])
    while True:
        yield tuple(islice(pairs, size))


def tournament(players: Sequence[Player]) -> list[list[tuple[Player, Player]]]:
    """Return the rounds in which everybody meets everybody once, by the circle method; of an odd number one rests.

    Lucas (1883), "Les jeux de demoiselles", Recreations mathematiques 2:161, who credits Walecki.
    """
    seats: list[Player | None] = [*players, *([None] if len(players) % 2 else [])]
    rounds = []
    for _ in seats[1:]:
        opposite = zip(seats[: len(seats) // 2], reversed(seats), strict=False)
        rounds.append([(first, second) for first, second in opposite if first is not None and second is not None])
        # The first stays; all others move on by one seat.
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return rounds
