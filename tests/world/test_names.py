"""Names: distinct by split, told by cue words or not at all."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.world.facts import ENTITY_TYPES
from knowcoder.world.names import NAMING, Namer, Split, with_article

POOLS = sorted({f"plain:{naming.plain}" for naming in NAMING.values()}) + [
    f"cue:{t}" for t, n in NAMING.items() if n.cues
]


def test_every_type_has_a_naming() -> None:
    assert set(NAMING) == {entity.id for entity in ENTITY_TYPES}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_no_name_of_a_split_is_a_name_of_another(seed: int) -> None:
    owners: dict[str, Split] = {}
    train, test = Namer("train", seed, 60, owners), Namer("test", seed, 60, owners)
    for pool in POOLS:
        assert train.pool(pool)
        assert not set(train.pool(pool)) & set(test.pool(pool))


def test_random_letters_never_spell_a_word_of_another_split() -> None:
    owners: dict[str, Split] = {}
    train = Namer("train", 1, 10, owners)
    rng = random.Random(5)
    word = train.scrambled(random.Random(5)).split()[0]
    owners[word] = "test"
    assert word not in train.scrambled(rng).split()


def test_article() -> None:
    assert (with_article("island"), with_article("river")) == ("an island", "a river")
