"""Everybody meets everybody once, and blocks cut from that are as balanced as they can be."""

import random
from collections import Counter
from itertools import combinations, islice

import pytest

from survey_site.design.tournaments import endless_blocks, tournament


@pytest.mark.parametrize("n", range(2, 13))
def test_everybody_meets_everybody_once(n: int) -> None:
    rounds = tournament(range(n))
    met = [tuple(sorted(pair)) for pairs in rounds for pair in pairs]
    assert sorted(met) == list(combinations(range(n), 2))


@pytest.mark.parametrize("n", range(2, 13))
def test_nobody_plays_twice_in_a_round_and_of_an_odd_number_one_rests(n: int) -> None:
    for pairs in tournament(range(n)):
        players = [player for pair in pairs for player in pair]
        assert len(players) == len(set(players)) == n - n % 2


@pytest.mark.parametrize(("n", "size"), [(n, size) for n in (4, 5, 6, 7) for size in (1, 2, 3, 4, 6)])
def test_any_run_of_blocks_is_balanced(n: int, size: int) -> None:
    blocks = list(islice(endless_blocks(range(n), size=size, rng=random.Random(n)), 40))
    for start in range(0, 40, 3):
        for stop in range(start + 1, 40, 5):
            pairs = Counter(frozenset(pair) for block in blocks[start:stop] for pair in block)
            players = Counter(player for block in blocks[start:stop] for pair in block for player in pair)
            counts = [pairs[frozenset(pair)] for pair in combinations(range(n), 2)]
            assert max(counts) - min(counts) <= 1
            spread = max(players[p] for p in range(n)) - min(players[p] for p in range(n))
            assert spread <= (1 if size == n // 2 else 2)


def test_a_block_of_a_whole_round_shows_everybody_once() -> None:
    for block in islice(endless_blocks("abcdef", size=3, rng=random.Random(1)), 25):
        assert sorted(player for pair in block for player in pair) == list("abcdef")


def test_a_block_never_holds_a_pair_twice() -> None:
    for block in islice(endless_blocks(range(5), size=10, rng=random.Random(1)), 9):
        assert len({frozenset(pair) for pair in block}) == 10


def test_blocks_are_drawn_by_the_seed() -> None:
    first, again, other = (list(islice(endless_blocks(range(6), size=3, rng=random.Random(s)), 5)) for s in (1, 1, 2))
    assert first == again != other
