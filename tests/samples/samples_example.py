"""The demonstration world as sentences to build samples of, and a tokenizer that counts words."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer, models, pre_tokenizers

from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.sentence import LabelSet
from knowcoder.samples.budget import Budget
from knowcoder.samples.following import Form, Recipe, SampleTask, following_drafts
from knowcoder.samples.negatives import NegativeSampling
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style
from knowcoder.world.generate import generate_world

WORLD = generate_world(3, 60, 8)
LIBRARY = SchemaLibrary(tuple(WORLD.entities), tuple(WORLD.relations), tuple(WORLD.events))
LABELS = {
    "world": LabelSet(
        entities=LIBRARY.names("entity"), relations=LIBRARY.names("relation"), events=LIBRARY.names("event")
    )
}
STYLE = Style(descriptions=False, examples=0)


def words() -> Wrapper:
    """A tokenizer whose tokens are words: every one is <unk>, but they can be counted."""
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return Wrapper.of("plain", tokenizer, 1, 2)


def recipe(
    sampling: NegativeSampling | None = None, form: Form | None = None, tasks: Sequence[SampleTask] = TASKS
) -> Recipe:
    return Recipe(LIBRARY, LABELS, tasks, sampling or NegativeSampling(), form or Form(), "1")


def built(made: Recipe | None = None, max_length: int = 4000) -> list[Sample]:
    return list(Budget(words(), max_length).fit(following_drafts(WORLD.train, made or recipe()), STYLE))
