"""Masks stand in the place of names, and nowhere else."""

from __future__ import annotations

import ast
import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from samples_example import LIBRARY, WORLD, built, recipe

from knowcoder.corpus.sentence import LabelSet, Mention, Sentence
from knowcoder.samples.draw import Draw
from knowcoder.samples.following import Form, Recipe, following_drafts
from knowcoder.samples.masking import masked_names
from knowcoder.schema.concepts import EntityType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

ALL = Form(mask_names=1.0)


def test_masked_samples_are_the_plain_ones_under_other_names() -> None:
    plain, masked = built(), built(recipe(form=ALL))
    assert len(plain) == len(masked)
    for one, other in zip(plain, masked, strict=True):
        assert [line for line in other.prompt.splitlines() if line.startswith("sentence = ")] == [
            line for line in one.prompt.splitlines() if line.startswith("sentence = ")
        ]
        names = set(re.findall(r"^class (Label\d+)\(", other.prompt, re.MULTILINE))
        assert names
        called = {call.func.id for call in ast.walk(ast.parse(other.completion)) if isinstance(call, ast.Call)}  # type: ignore[attr-defined]
        assert names & called or other.completion == "results = []"
        unmasked = re.sub(r"\bLabel\d+\b", "?", other.completion)
        types = {name for sentence in WORLD.train if sentence.id == other.id for name in _types(sentence)}
        expected = re.sub("|".join(rf"\b{name}(?=\()" for name in types) or "$^", "?", one.completion)
        assert sorted(re.sub(r"\b[A-Z]\w*(?=\()", "?", unmasked).splitlines()) == sorted(
            re.sub(r"\b[A-Z]\w*(?=\()", "?", expected).splitlines()
        )


def _types(sentence: Sentence) -> set[str]:
    return {item.type for item in (*sentence.entities, *sentence.relations, *sentence.events)}


def test_words_that_are_class_names_stay_in_descriptions_examples_and_text() -> None:
    city = EntityType(id="c", name="City", description="A City is no Town.", examples=("City", "Town"))
    library = SchemaLibrary((city, EntityType(id="t", name="Town", description="Town.", parent="c")))
    sentence = Sentence(id="1", text="Town City", source="s", tasks=("NER",), entities=(Mention("City", "City", 5, 9),))
    made = Recipe(library, {"s": LabelSet(entities=("City", "Town"))}, ["NER"], form=ALL)
    sentence = replace(sentence, entities=(*sentence.entities, Mention("Town", "Town", 0, 4)))
    (sample,) = (draft.write(draft.negatives, Style()) for draft in following_drafts([sentence], made))
    if "results = []" not in sample.completion:
        assert '"""A City is no Town.' in sample.prompt
        assert "Examples: City, Town" in sample.prompt
        assert 'sentence = "Town City"' in sample.prompt
        assert "class City" not in sample.prompt
        assert "class Town" not in sample.prompt
        assert re.fullmatch(r'results = \[\n    Label\d\("Town"\),\n    Label\d\("City"\),\n\]', sample.completion)
    else:
        raise AssertionError("choose another id: this one is fully negative")


@given(st.sets(st.sampled_from([concept.name for concept in LIBRARY]), min_size=1), st.text())
def test_masks_are_different_and_nobodys_name(classes: set[str], key: str) -> None:
    names = masked_names(sorted(classes), LIBRARY, Draw(key))
    assert names.keys() == classes
    assert len(set(names.values())) == len(classes)
    assert not any(name in LIBRARY for name in names.values())
