"""Files with spans: whatever the layout, offsets point at the text, and every annotation is kept or rejected."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.reading import Reading
from knowcoder.corpus.sentence import Mention, Sentence
from knowcoder.corpus.span_layout import SpanKeys
from knowcoder.corpus.spans import EventClass, SpanClasses, read_spans
from knowcoder.errors import DataError

CLASSES = SpanClasses(
    {"per": "Human", "loc": "Place"},
    {"in": "LivesIn"},
    {"die": EventClass("Die", {"Victim": "victim", "Victim.Age": "victim_age"})},
)
TOKENS = ["Ada", "Lovelace", "died", "in", "London", "."]


def read(path: Path, records: list[Any], keys: SpanKeys, as_list: bool = False) -> tuple[list[Sentence], Reading]:
    text = json.dumps(records) if as_list else "\n".join(map(json.dumps, records))
    path.write_text(text, encoding="utf-8")
    reading = Reading()
    found = list(read_spans(path, keys, CLASSES, source="s", split="train", language="en", reading=reading))
    for sentence in found:
        mentions = [*sentence.entities, *(event.trigger for event in sentence.events if event.trigger)]
        mentions += [mention for relation in sentence.relations for mention in (relation.head, relation.tail)]
        mentions += [argument.mention for event in sentence.events for argument in event.arguments]
        assert all(sentence.text[mention.start : mention.end] == mention.text for mention in mentions)
    annotations = sum(len(s.entities) + len(s.relations) + len(s.events) for s in found)
    assert reading.kept == annotations + sum(len(event.arguments) for s in found for event in s.events)
    return found, reading


def reasons(reading: Reading) -> list[str]:
    return [reject.reason for reject in reading.rejected]


@pytest.mark.parametrize("as_list", [True, False])
def test_tags_and_relations_by_position(tmp_path: Path, as_list: bool) -> None:
    record = {
        "tokens": TOKENS,
        "tags": ["B-per", "L-per", "O", "O", "U-loc", "O"],
        "relations": [{"type": "in", "head": 0, "tail": 1}, {"type": "in", "head": 0, "tail": 2}],
    }
    keys = SpanKeys(tokens="tokens", tags="tags", scheme="BILOU", relations="relations")
    (sentence,), reading = read(tmp_path / "file", [record], keys, as_list)
    assert sentence.text == "Ada Lovelace died in London ."
    assert sentence.tasks == ("NER", "RE")
    (relation,) = sentence.relations
    assert (relation.head, relation.tail) == sentence.entities
    assert [mention.text for mention in sentence.entities] == ["Ada Lovelace", "London"]
    assert reasons(reading) == ["relation of no entity"]


DOCUMENT: dict[str, Any] = {
    "sentences": [
        [[["Ada", 9, 12], ["died", 13, 17]], "Ada died"],
        [[["She", 18, 21], ["was", 22, 25], ["36", 26, 28], [".", 28, 29]], "She was 36."],
    ],
    "entities": [
        {"id": "T1", "type": "per", "start": 0, "end": 1, "text": "Ada"},
        {"id": "T2", "type": "per", "start": 2, "end": 3, "text": "She"},
        {"id": "T3", "type": "per", "start": 1, "end": 3},
        {"id": "T4", "type": "planet", "start": 0, "end": 1},
        {"id": "T5", "type": "per", "start": 2, "end": 3, "text": "Bob"},
    ],
    "events": [
        {
            "type": "die",
            "trigger": {"start": 1, "end": 2},
            "arguments": [{"role": "Victim", "ref": id} for id in ("T1", "T2", "T4", "T9")],
        },
        {"type": "born", "trigger": {"start": 1, "end": 2}, "arguments": [{"role": "Victim", "ref": "T1"}]},
    ],
}
DOCUMENT_KEYS = SpanKeys(
    sentences="sentences", entities="entities", events="events", arguments="arguments", filler="ref"
)


def test_a_document_becomes_sentences_and_loses_what_crosses_them(tmp_path: Path) -> None:
    (first, second), reading = read(tmp_path / "file", [DOCUMENT], DOCUMENT_KEYS)
    assert (first.text, second.text) == ("Ada died", "She was 36.")
    assert first.entities == (Mention("Human", "Ada", 0, 3),)
    assert second.entities == (Mention("Human", "She", 0, 3),)
    (event,) = first.events
    assert [(argument.role, argument.mention.text) for argument in event.arguments] == [("victim", "Ada")]
    assert reasons(reading) == [
        "span outside one sentence",
        "label without a class",
        "another text at the offsets",
        "argument in another sentence",
        "argument of a rejected entity",
        "argument of no entity",
        "argument of a rejected event: label without a class",
        "label without a class",
    ]
    assert (reading.texts, reading.read) == (2, 12)


def test_nested_roles_by_character(tmp_path: Path) -> None:
    victim = {
        "text": [["Ada"], ["Ada", "Bob"]],
        "start": [[0], [0, 8]],
        "Age": {"text": [["36"]], "start": [[16]]},
        "Both": [{"type": "die"}],
    }
    event = {
        "type": "die",
        "id": "E1",
        "trigger": {"text": [["died"]], "start": [[19]]},
        "Victim": victim,
        "Odd": {"start": 1},
    }
    record = {"text": "Ada and Bob, at 36 died.", "notes": [{"events": [event]}]}
    (sentence,), reading = read(tmp_path / "file", [record], SpanKeys(text="text", events="notes.events"))
    assert sentence.tasks == ("ED", "EAE")
    (found,) = sentence.events
    assert [(argument.role, argument.mention.text) for argument in found.arguments] == [
        ("victim", "Ada"),
        ("victim_age", "36"),
    ]
    assert sorted(reasons(reading)) == ["event within an event", "mention in pieces", "span malformed"]


@pytest.mark.parametrize("inclusive", [True, False])
@given(data=st.data())
def test_token_spans_become_their_words(tmp_path_factory: pytest.TempPathFactory, inclusive: bool, data: Any) -> None:
    words = st.text(st.characters(blacklist_categories=("Cs", "Zs", "Cc", "Zl", "Zp")), min_size=1, max_size=5)
    sentences = data.draw(st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=3))
    tokens = [word for sentence in sentences for word in sentence]
    start = data.draw(st.integers(0, len(tokens) - 1))
    end = data.draw(st.integers(start + 1, len(tokens)))
    entity = {"type": "per", "start": start, "end": end - inclusive}
    keys = SpanKeys(sentences="sentences", entities="entities", inclusive=inclusive)
    path = tmp_path_factory.mktemp("spans") / "file"
    found, reading = read(path, [{"sentences": sentences, "entities": [entity]}], keys)
    mentions = [mention.text for sentence in found for mention in sentence.entities]
    borders = [sum(map(len, sentences[:number])) for number in range(len(sentences) + 1)]
    if any(low <= start and end <= high for low, high in pairwise(borders)):
        assert mentions == [" ".join(tokens[start:end])]
    else:
        assert reasons(reading) == ["span outside one sentence"]


@given(record=st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda part: st.lists(part, max_size=3)))
def test_malformed_records_are_rejected_not_raised(tmp_path_factory: pytest.TempPathFactory, record: Any) -> None:
    path = tmp_path_factory.mktemp("spans") / "file"
    for field in ("sentences", "entities", "events"):
        read(path, [DOCUMENT | {field: record}], DOCUMENT_KEYS)
    event = {"type": "die", "trigger": {"start": record, "text": record}, "arguments": record}
    entity = {"id": "T1", "type": record, "start": record, "end": record}
    read(path, [DOCUMENT | {"entities": [entity], "events": [event]}], DOCUMENT_KEYS)


def test_shares_are_complements_in_the_order_of_ids(tmp_path: Path) -> None:
    records = [{"id": id, "text": f"text {id}"} for id in "dbacgfe"]
    cut = [read(tmp_path / "file", records, SpanKeys(text="text", share=share))[0] for share in ((0, 0.7), (0.7, 1))]
    assert [[sentence.text[-1] for sentence in part] for part in cut] == [["a", "b", "c", "d"], ["e", "f", "g"]]


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6), part=st.floats(0.01, 0.99))
def test_a_cut_falls_between_documents(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], part: float) -> None:
    path = tmp_path_factory.mktemp("spans") / "file"
    ids = [f"{document}_{number}" for document, size in enumerate(sizes) for number in range(size)]
    records = [{"id": id, "text": id} for id in reversed(ids)]
    shares = ((0.0, part), (part, 1.0))
    cut = [read(path, records, SpanKeys(text="text", document="_", share=share))[0] for share in shares]
    before, after = ([sentence.text for sentence in half] for half in cut)
    assert before + after == ids
    assert not {id.split("_")[0] for id in before} & {id.split("_")[0] for id in after}
    assert 0 <= len(before) - int(part * len(ids)) < max(sizes)


def test_what_is_not_json_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("Ada\tB-per\n")
    with pytest.raises(DataError, match="file"):
        list(read_spans(path, SpanKeys(), CLASSES, source="s", split="train", language="en", reading=Reading()))
