"""Aligned text is typed by what its entities are instances of: found by id, else by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import events, read_by_keys, relations
from hypothesis import given
from hypothesis import strategies as st

from knowcoder import config, jsonl, stages
from knowcoder.artefact import Manifest
from knowcoder.config.corpus import NamesKeys
from knowcoder.corpus.linker import Linker
from knowcoder.corpus.reading import Corpus, Unusable
from knowcoder.corpus.sentence import Mention, Relation
from knowcoder.errors import ConfigError, DataError
from knowcoder.samples.understanding import instance_drafts
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.facts import DISAMBIGUATION, Fact, read_facts
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

LIBRARY = SchemaLibrary(
    (
        EntityType(id="Q5", name="Human"),
        EntityType(id="Q36180", name="Writer", parent="Q5"),
        EntityType(id="Q515", name="City"),
        EntityType(id="Q6256", name="Country"),
        EntityType(id="Q618779", name="Award"),
    ),
    (
        RelationType(id="P19", name="BornIn", label="place of birth", head=("Q5",), tail=("Q515",)),
        RelationType(id="P166", name="AwardReceived", label="award received", tail=("Q618779",)),
    ),
    (EventType(id="P166_event", name="Awarding", label="award received", roles=(Role(name="awarded_for"),)),),
)
FACTS = [
    Fact("Q1", ["Q36180", "Q99"], ["Ada", "Countess"]),
    Fact("Q2", ["Q6256", "Q515"], ["Singapore", "Ada"]),
    Fact("Q3", [DISAMBIGUATION], ["Mercury"]),
    Fact("Q4", ["Q99"], ["Thing"]),
    Fact("Q5", ["Q99"], ["Rome"]),
    Fact("Q6", ["Q515"], ["Rome"]),
]


@pytest.fixture
def types(tmp_path: Path) -> Path:
    """A schema library with facts, as ``schema`` writes it."""
    LIBRARY.save(tmp_path / "types")
    jsonl.write(tmp_path / "types" / "facts.jsonl", FACTS)
    Manifest("schema", "complete").save(tmp_path / "types")
    return tmp_path / "types"


def linker(folder: Path, *sought: tuple[str, str], names: NamesKeys | None = None) -> Linker:
    """One that was asked for names and ids, and has learnt what they are."""
    made = Linker(LIBRARY)
    for name, id in sought:
        assert made.typed(Mention("Entity", name), name, id) == []
    made.load(folder, names or NamesKeys())
    return made


def classes(made: Linker, name: str, id: str = "", hints: tuple[str, ...] = ()) -> list[str]:
    return [mention.type for mention in made.typed(Mention("Entity", name), name, id, hints)]


def test_names_lead_to_classes_a_main_name_before_an_alias_and_one_with_a_class_before_others(types: Path) -> None:
    sought = ("Ada", "Countess (title)", "Singapore", "Mercury", "Thing", "Rome", "Nobody")
    made = linker(types, *((name, "None") for name in sought))
    assert classes(made, "Ada") == ["Writer"]
    assert classes(made, "Countess (title)") == ["Writer"]
    assert classes(made, "Singapore") == ["Country", "City"]
    assert classes(made, "Singapore", hints=("Q515",)) == ["City", "Country"]
    assert classes(made, "Ada", hints=("Q5",)) == ["Writer"]
    assert classes(made, "Rome") == ["City"]
    assert classes(made, "Thing") == classes(made, "Nobody") == []
    with pytest.raises(Unusable, match="a disambiguation page"):
        classes(made, "Mercury")


def test_an_entity_with_an_id_is_known_by_it_alone(types: Path) -> None:
    made = linker(types, ("Ada", "Q2"), ("Ada", "Q77"), ("Ada", "+1999"))
    assert classes(made, "Ada", "Q2") == ["Country", "City"]
    assert classes(made, "Ada", "Q77") == []
    assert classes(made, "Ada", "+1999") == ["Writer"]


NAMED = {"qid": "Q6", "title": "Ada", "other": ["Thing"]}


def test_a_file_of_names_goes_before_the_names_of_facts(types: Path, tmp_path: Path) -> None:
    jsonl.write(
        tmp_path / "e.jsonl", [{"qid": "Q6", "title": "Ada", "other": ["Thing"]}, {"qid": "Q1", "title": "Thing"}]
    )
    keys = NamesKeys(str(tmp_path / "e.jsonl"), "qid", "title", "other")
    made = linker(types, ("Ada", ""), ("Thing", ""), ("Singapore", ""), names=keys)
    assert classes(made, "Ada") == ["City"]
    assert classes(made, "Thing") == ["Writer"]
    assert classes(made, "Singapore") == ["Country", "City"]
    listed = NamesKeys(str(tmp_path / "l.jsonl"), name="names")
    jsonl.write(tmp_path / "l.jsonl", [{"id": "Q1", "names": ["Lady", "Ada"]}])
    assert classes(linker(types, ("Lady", ""), names=listed), "Lady") == ["Writer"]
    (tmp_path / "l.jsonl").write_text('{"id": "Q1", "names": ["Ada"]}\n{"id": 1}\n')
    with pytest.raises(DataError, match=r"l\.jsonl:2: "):
        linker(types, names=listed)


NAMES = st.sampled_from(["a", "b", "c (d)", "c", "e"])
IDS = st.sampled_from([f"Q{number}" for number in range(1, 7)])


@given(
    st.lists(st.builds(Fact, IDS, st.lists(st.sampled_from(["Q5", "Q515", "Q99"])), st.lists(NAMES, max_size=3))),
    st.lists(st.tuples(NAMES, st.one_of(IDS, st.just("None"))), max_size=4),
)
def test_what_was_not_asked_for_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, facts: list[Fact], asked: list[tuple[str, str]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "facts.jsonl"
    jsonl.write(file, facts)
    every = [(name, id) for name in ("a", "b", "c (d)", "e") for id in ("None", *(f"Q{n}" for n in range(1, 7)))]
    part, whole = linker(file, *asked), linker(file, *every)
    assert [classes(part, *pair) for pair in asked] == [classes(whole, *pair) for pair in asked]


def write(path: Path, *records: Any) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return f"input={path}"


KELM = ["format=records", "records.text=sentence", "relations.at=triples", "relations.head=0", "relations.type=1"]
KELM += ["relations.tail=2", "relations.quadruples=true", "relations.not_events=[point in time]"]


def read(tmp_path: Path, types: Path, *records: Any) -> Corpus:
    corpus, _ = read_by_keys(tmp_path, write(tmp_path / "kelm.jsonl", *records), *KELM, f"types={types}")
    return corpus


def test_ends_of_relations_are_typed_and_every_class_is_a_mention(types: Path, tmp_path: Path) -> None:
    record = {"sentence": "Ada was born in Singapore.", "triples": [["Ada (writer)", "place of birth", "Singapore"]]}
    (sentence,) = read(tmp_path, types, record).splits["train"]
    ada, singapore = Mention("Writer", "Ada", 0, 3), Mention("City", "Singapore", 16, 25)
    assert sentence.relations == (Relation("BornIn", ada, singapore),)
    assert sentence.entities == (ada, singapore, Mention("Country", "Singapore", 16, 25))
    assert sentence.tasks == ("NER", "RE")
    codes = [draft.write((), Style()).completion for draft in instance_drafts([sentence], LIBRARY)]
    assert len(codes) == 4
    assert codes[-1].endswith('results = [\n    BornIn(Human("Ada"), City("Singapore")),\n]')


def test_what_is_not_known_is_rejected_with_the_text_of_which_nothing_is_left(types: Path, tmp_path: Path) -> None:
    corpus = read(
        tmp_path,
        types,
        {"sentence": "Ada and Thing.", "triples": [["Thing", "place of birth", "Ada"]]},
        {"sentence": "Thing and Nobody.", "triples": [["Thing", "place of birth", "Nobody"]]},
        {"sentence": "Mercury is a page of Ada.", "triples": [["Mercury", "place of birth", "Ada"]]},
    )
    (sentence,) = corpus.splits["train"]
    assert (sentence.text, sentence.relations) == ("Ada and Thing.", ())
    assert [mention.type for mention in sentence.entities] == ["Writer"]
    said = ["an entity of unknown type", "an entity of unknown type", "a disambiguation page"]
    assert [reject.reason for reject in corpus.rejects] == said


def test_relations_with_qualifiers_are_events_of_the_roles_that_the_library_has(types: Path, tmp_path: Path) -> None:
    got = ["Ada", "award received", "Rome"]
    corpus = read(
        tmp_path,
        types,
        {"sentence": "Ada got Rome for Thing.", "triples": [got, ["Ada", "Rome", "awarded for", "Thing"]]},
        {"sentence": "Ada got Rome in 1999.", "triples": [got, ["Ada", "Rome", "point in time", "1999"]]},
        {"sentence": "Ada got Rome by Thing.", "triples": [got, ["Ada", "Rome", "sponsor", "Thing"]]},
    )
    one, two, three = corpus.splits["train"]
    assert relations(one) == relations(two) == relations(three) == [("Ada", "AwardReceived", "Rome")]
    assert events(one) == [("Awarding", "", {"awarded_for": ["Thing"]})]
    assert one.events[0].arguments[0].mention.type == "Entity"
    codes = [draft.write((), Style()).completion for draft in instance_drafts([one], LIBRARY)]
    assert codes[-1].endswith('results = [\n    Awarding(awarded_for=[Entity("Thing")]),\n]')
    assert events(two) == events(three) == []
    assert [reject.reason for reject in corpus.rejects] == [
        "argument of a rejected event: qualifier of no event",
        "qualifier of no event",
        "role without a name",
        "event without trigger or argument",
    ]


def test_types_without_what_they_need_are_refused(types: Path, tmp_path: Path) -> None:
    record = {"sentence": "Ada in Rome.", "triples": [["Ada", "place of birth", "Rome"]]}
    read(tmp_path, types, record)
    with pytest.raises(ConfigError, match="leave types out"):
        read_by_keys(tmp_path / "again", f"input={tmp_path / 'read'}", f"types={types}")
    (types / "facts.jsonl").unlink()
    with pytest.raises(DataError, match="no facts here"):
        read(tmp_path, types, record)


@pytest.mark.slow
def test_real_text_is_typed_by_ids_through_a_real_graph(data_root: Path, tmp_path: Path) -> None:
    graph, output = tmp_path / "graph", tmp_path / "typed"
    stages.schema(config.load("schema", ["source=kgtk", f"input={data_root / 'wikidata_arnold'}", f"output={graph}"]))
    words = ["benchmark=text2kg", f"input={data_root}", f"types={graph}", f"output={output}"]
    stages.corpus(config.load("corpus", words))
    corpus, library = Corpus.load(output), SchemaLibrary.load(graph)
    names = {concept.id: concept.name for concept in library.entities}
    facts = {fact.id: {names[id] for id in fact.types if id in names} for fact in read_facts(graph)}
    lines = [json.loads(line) for file in (data_root / "text2kg_wikidata/train").iterdir() for line in file.open()]
    said: dict[str, set[str]] = {}
    for line in lines:
        said.setdefault(line["sent"], set()).update(*(facts.get(line[end], ()) for end in ("sub", "obj")))
    assert len(corpus.splits["train"]) == 961
    assert sum(len(sentence.relations) for sentence in corpus.splits["train"]) > 100
    for sentence in corpus.splits["train"]:
        assert {mention.type for mention in sentence.entities} <= said[sentence.text]
        ends = [mention for relation in sentence.relations for mention in (relation.head, relation.tail)]
        assert set(ends) <= set(sentence.entities)
    for source, labels in corpus.labels.items():
        used = [sentence for part in corpus.splits.values() for sentence in part if sentence.source == source]
        assert {mention.type for sentence in used for mention in sentence.entities} <= set(labels.entities)
