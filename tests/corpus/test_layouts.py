"""Layouts as data sets have them, in files of our own, each read by keys alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpora import events, mentions, read_by_keys, relations

from knowcoder.corpus.sentence import Sentence


def write(folder: Path, name: str, content: Any) -> str:
    """A file of text, of JSON, or for a list of JSON lines; its ``input=`` word."""
    path = folder / name
    if isinstance(content, list):
        content = "\n".join(json.dumps(record, ensure_ascii=False) for record in content)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return f"input={path}"


def read(folder: Path, *words: str) -> list[Sentence]:
    corpus, _ = read_by_keys(folder, *words)
    return next(iter(corpus.splits.values()))


def reasons(folder: Path, *words: str) -> list[str]:
    return [reject.reason for reject in read_by_keys(folder, *words)[0].rejects]


# -- column files


def test_conllu_with_comments_and_the_tag_in_the_third_column(tmp_path: Path) -> None:
    text = "# id = 1\n1\tAda\tB-per\tNOUN\n2\tByron\tI-per\tNOUN\n\n# id = 2\n1\t#\tO\tSYM\n2\tRome\tB-loc\tX\n"
    given = write(tmp_path, "a.conllu", text)
    one, two = read(tmp_path, given, "columns.token=1", "columns.tags=[2]", "columns.comment=# ")
    assert mentions(one) == [("Per", "Ada Byron")]
    assert (two.text, mentions(two)) == ("# Rome", [("Loc", "Rome")])


def test_two_tag_columns_are_nested_entities(tmp_path: Path) -> None:
    text = "Bank B-ORG O\nof I-ORG O\nRome I-ORG B-LOC\n"
    (sentence,) = read(tmp_path, write(tmp_path, "a.txt", text), "columns.separator= ", "columns.tags=[1,2]")
    assert mentions(sentence) == [("Org", "Bank of Rome"), ("Loc", "Rome")]


def test_bmes_characters_with_a_digit_of_segmentation(tmp_path: Path) -> None:
    text = "北0\tB-LOC\n京1\tE-LOC\n人0\tS-PER.NOM\n"
    words = ["columns.join=", "columns.token_suffix=1", "columns.scheme=BMES", "labels=[PER.NOM=Person]"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.txt", text), *words)
    assert (sentence.text, mentions(sentence)) == ("北京人", [("Loc", "北京"), ("Person", "人")])


# -- entities


def test_inclusive_offsets_of_a_document_whose_sentences_are_lists(tmp_path: Path) -> None:
    record = {
        "doc": [["Ada", "met", "Bob", "."], ["They", "left", "Rome", "."]],
        "ner": [[[0, 0, "PER"], [2, 2, "PER"]], [[6, 6, "LOC"], [1, 5, "LOC"]]],
        "rel": [[[0, 0, 2, 2, "knows"]], []],
    }
    words = ["format=records", "records.sentences=doc", "spans.inclusive=true", "entities.at=ner", "entities.type=2"]
    words += ["spans.start=0", "spans.end=1", "relations.at=rel", "relations.type=4"]
    given = write(tmp_path, "a.jsonl", [record])
    one, two = read(tmp_path, given, *words, "relations.head=0,1", "relations.tail=2,3")
    assert mentions(one) == [("Per", "Ada"), ("Per", "Bob")]
    assert relations(one) == [("Ada", "Knows", "Bob")]
    assert mentions(two) == [("Loc", "Rome")]
    whole = read(tmp_path, given, *words, "relations.head=0,1", "relations.tail=2,3", "records.whole=true")
    assert [sentence.text for sentence in whole] == ["Ada met Bob . They left Rome ."]
    assert mentions(whole[0])[-1] == ("Loc", "met Bob . They left")


def test_types_as_names_of_fields(tmp_path: Path) -> None:
    record = {"text": "叶老桂在北京", "label": {"name": {"叶老桂": [[0, 2]]}, "address": {"北京": [[4, 5]]}}}
    words = ["format=records", "records.text=text", "entities.at=label.{type}.{text}", "spans.inclusive=true"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.json", [record]), *words, "spans.start=0", "spans.end=1")
    assert mentions(sentence) == [("Name", "叶老桂"), ("Address", "北京")]


def test_lists_of_ranges_are_pieces_and_reported(tmp_path: Path) -> None:
    record = {
        "passages": [{"text": ["Left and right arm ached."]}],
        "entities": [
            {"type": "Site", "offsets": [[9, 18]], "text": ["right arm"]},
            {"type": "Site", "offsets": [[0, 4], [15, 18]], "text": ["Left", "arm"]},
        ],
    }
    words = ["format=records", "records.text=passages.0.text.0", "entities.at=entities", "spans.start=offsets"]
    given = write(tmp_path, "a.json", [record])
    assert [mentions(sentence) for sentence in read(tmp_path, given, *words)] == [[("Site", "right arm")]]
    assert reasons(tmp_path, given, *words) == ["mention in pieces"]


def test_numbers_as_tags(tmp_path: Path) -> None:
    record = {"tokens": ["Ada", "rests"], "ner_tags": [1, 0]}
    words = ["format=records", "records.tokens=tokens", "records.tags=ner_tags", "records.tag_names=[O,B-PER]"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.jsonl", [record]), *words)
    assert mentions(sentence) == [("Per", "Ada")]


def test_token_offsets_beside_the_true_text(tmp_path: Path) -> None:
    record = {
        "text": "Ada's  house.",
        "words": ["Ada", "'s", "house", "."],
        "ner": [{"start": 0, "end": 2, "type": "x"}],
    }
    words = ["format=records", "records.text=text", "records.tokens=words", "entities.at=ner"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.jsonl", [record]), *words)
    assert (sentence.text, mentions(sentence)) == ("Ada's  house.", [("X", "Ada's")])


def test_types_in_the_markup(tmp_path: Path) -> None:
    given = write(tmp_path, "a.tsv", "<PER>Ada</PER> saw <ORG>Bank of <LOC>Rome</LOC></ORG>.\nNothing <b>here.\n")
    words = ["format=records", "records.text=0", "records.markup=types"]
    (sentence,) = read(tmp_path, given, *words)
    assert sentence.text == "Ada saw Bank of Rome."
    assert sorted(mentions(sentence)) == [("Loc", "Rome"), ("Org", "Bank of Rome"), ("Per", "Ada")]
    assert reasons(tmp_path, given, *words) == ["tag without an end"]


# -- relations


def test_tacred_has_one_relation_a_record(tmp_path: Path) -> None:
    tokens = ["He", "works", "for", "Bank", "of", "Rome"]
    ends = {"subj_start": 0, "subj_end": 0, "obj_start": 3, "obj_end": 5, "subj_type": "PERSON", "obj_type": "ORG"}
    records = [
        {"token": tokens, "relation": "per:employee_of", **ends},
        {"token": tokens, "relation": "no_relation", **ends, "obj_end": 3},
    ]
    words = ["format=records", "records.tokens=token", "spans.inclusive=true", "relations.at=."]
    words += ["relations.type=relation", "relations.head=subj_start,subj_end", "relations.tail=obj_start,obj_end"]
    words += ["relations.head_type=subj_type", "relations.tail_type=obj_type", "records.none=[no_relation]"]
    one, two = read(tmp_path, write(tmp_path, "a.json", [records][0]), *words)
    assert relations(one) == [("He", "PerEmployeeOf", "Bank of Rome")]
    assert [relation.tail.type for relation in one.relations] == ["Org"]
    assert (two.tasks, two.relations) == (("RE",), ())


SEMEVAL = """1\t"The <e1>bank</e1> of <e2>Rome</e2> said "no"."
Entity-Origin(e1,e2)
Comment: none

2\t"A <e1>fire</e1> from a <e2>spark</e2>."
Cause-Effect(e2,e1)
Comment:

3\t"A <e1>fire</e1> and a <e2>spark</e2>."
Other
Comment:
"""


def test_marked_sentences_with_a_line_for_the_label(tmp_path: Path) -> None:
    words = ["format=records", "records.container=blocks", "records.text=0.1", "records.markup=ids"]
    words += ['records.drop=^"|"$', "relations.at=1.0", "records.none=[Other]"]
    words += [r"relations.pattern=(?P<type>.+)\((?P<head>e\d),(?P<tail>e\d)\)"]
    found = read(tmp_path, write(tmp_path, "a.txt", SEMEVAL), *words)
    assert found[0].text == 'The bank of Rome said "no".'
    assert [relations(sentence) for sentence in found] == [
        [("bank", "EntityOrigin", "Rome")],
        [("spark", "CauseEffect", "fire")],
        [],
    ]


def test_docred_names_entities_by_cluster(tmp_path: Path) -> None:
    record = {
        "sents": [["Ada", "Byron", "slept", "."], ["Ada", "knew", "Rome", "."]],
        "vertexSet": [
            [
                {"name": "Ada Byron", "pos": [0, 2], "sent_id": 0, "type": "PER"},
                {"name": "Ada", "pos": [0, 1], "sent_id": 1, "type": "PER"},
            ],
            [{"name": "Rome", "pos": [2, 3], "sent_id": 1, "type": "LOC"}],
        ],
        "labels": [{"h": 0, "t": 1, "r": "P937", "evidence": [1]}],
    }
    words = ["format=records", "records.sentences=sents", "entities.at=vertexSet", "entities.clusters=true"]
    words += ["spans.start=pos.0", "spans.end=pos.1", "spans.text=name", "spans.sentence=sent_id"]
    words += ["relations.at=labels", "relations.type=r", "relations.head=h", "relations.tail=t"]
    one, two = read(tmp_path, write(tmp_path, "a.json", [record]), *words)
    assert mentions(one) == [("Per", "Ada Byron")]
    assert mentions(two) == [("Per", "Ada"), ("Loc", "Rome")]
    assert relations(two) == [("Ada", "P937", "Rome")]


def test_relations_between_the_arguments_of_a_list(tmp_path: Path) -> None:
    record = {
        "tokens": ["Ada", "of", "Rome"],
        "entity_mentions": [
            {"id": "e-1", "entity_type": "PER", "start": 0, "end": 1, "text": "Ada"},
            {"id": "e-2", "entity_type": "LOC", "start": 2, "end": 3, "text": "Rome"},
        ],
        "relation_mentions": [{"relation_type": "in", "arguments": [{"entity_id": "e-1"}, {"entity_id": "e-2"}]}],
    }
    words = ["format=records", "records.tokens=tokens", "entities.at=entity_mentions", "entities.type=entity_type"]
    words += ["relations.at=relation_mentions", "relations.type=relation_type"]
    words += ["relations.head=arguments.0.entity_id", "relations.tail=arguments.1.entity_id"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.jsonl", [record]), *words)
    assert relations(sentence) == [("Ada", "In", "Rome")]


def test_rows_of_relations(tmp_path: Path) -> None:
    given = write(
        tmp_path, "a.tsv", 'm.1\tm.2\tAda\tRome\t/in\t"Ada" left Rome .\nm.1\tm.3\tAda\tOslo\tNA\tAda in Oslo\n'
    )
    words = ["format=records", "records.text=5", "records.none=[NA]", "relations.at=.", "relations.type=4"]
    one, two = read(tmp_path, given, *words, "relations.head=2", "relations.tail=3")
    assert (one.text, relations(one)) == ('"Ada" left Rome .', [("Ada", "In", "Rome")])
    assert (two.tasks, relations(two)) == (("RE",), [])
    given = write(tmp_path, "a.csv", 's,h,r,t\n"Ada, of Rome",Ada,in,Rome\n')
    words = ["format=records", "records.header=true", "records.text=s", "relations.at=.", "relations.type=r"]
    (sentence,) = read(tmp_path, given, *words, "relations.head=h", "relations.tail=t")
    assert relations(sentence) == [("Ada", "In", "Rome")]


def test_duie_has_objects_within_objects(tmp_path: Path) -> None:
    triple = {
        "predicate": "作者",
        "subject": "邪少",
        "subject_type": "图书",
        "object": {"@value": "冰火"},
        "object_type": {"@value": "人物"},
    }
    record = {"text": "《邪少》是冰火写的", "spo_list": [triple]}
    words = ["format=records", "records.text=text", "relations.at=spo_list", "relations.type=predicate"]
    words += ["relations.head=subject", "relations.tail=object.@value", "relations.head_type=subject_type"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.json", [record]), *words, "relations.tail_type=object_type.@value")
    assert relations(sentence) == [("邪少", "作者", "冰火")]
    assert mentions(sentence) == [("图书", "邪少"), ("人物", "冰火")]


# -- text with triples


def test_kelm_with_qualifiers_in_the_quadruple(tmp_path: Path) -> None:
    records = [
        {
            "triples": [
                ["Ada (film)", "award received", "Oscar"],
                ["Ada (film)", "Oscar", "point in time", "00  1999"],
            ],
            "gen_sentence": "Ada got an Oscar in 1999.",
        },
        {"gen_sentence": "Nothing is known."},
        {"triples": [["Bob", "award received", "Oscar"]], "gen_sentence": "He got it."},
    ]
    words = ["format=records", "records.text=gen_sentence", "relations.at=triples", "relations.quadruples=true"]
    words += ["relations.head=0", "relations.type=1", "relations.tail=2"]
    corpus, counts = read_by_keys(tmp_path, write(tmp_path, "kelm.jsonl", records), *words)
    one, two = corpus.splits["train"]
    assert relations(one) == [("Ada", "AwardReceived", "Oscar")]
    (event,) = events(one)
    assert event[1:] == ("", {"subject": ["Ada"], "object": ["Oscar"], "point_in_time": ["1999"]})
    assert two.tasks == ()
    assert counts["train"]["texts left out"] == 1
    assert counts["train"]["sought: normalised"] == 1


def test_qualifiers_beside_the_triple(tmp_path: Path) -> None:
    record = {"sentence": "Ada led Rome until 99.", "triples": [["Ada", "led", "Rome", "end time", "99"]]}
    words = ["format=records", "records.text=sentence", "relations.at=triples", "relations.qualifiers=3:"]
    words += ["relations.head=0", "relations.type=1", "relations.tail=2"]
    (sentence,) = read(tmp_path, write(tmp_path, "tekgen.jsonl", [record]), *words)
    assert events(sentence)[0][2]["end_time"] == ["99"]


WEBNLG = """<benchmark><entries><entry eid="1"><modifiedtripleset>
<mtriple>Ada_Byron | birthPlace | "London"</mtriple><mtriple>Ada_Byron | job | Poet</mtriple></modifiedtripleset>
<lex comment="good">Ada Byron was born in London.</lex></entry></entries></benchmark>"""


def test_webnlg(tmp_path: Path) -> None:
    words = ["format=records", "records.at=entry", "records.text=lex.0.text", "relations.at=modifiedtripleset.mtriple"]
    words += [r'relations.pattern=(?P<head>.+) \| (?P<type>.+) \| "?(?P<tail>[^"]+)"?']
    given = write(tmp_path, "a.xml", WEBNLG)
    (sentence,) = read(tmp_path, given, *words)
    assert relations(sentence) == [("Ada Byron", "BirthPlace", "London")]
    assert reasons(tmp_path, given, *words) == ["tail not in the text"]


def test_rebel_as_objects_and_in_a_line(tmp_path: Path) -> None:
    triple = {
        "subject": {"surfaceform": "Ada", "boundaries": [0, 3]},
        "predicate": {"surfaceform": "lives in"},
        "object": {"surfaceform": "Rome", "boundaries": [13, 17]},
    }
    record = {"text": "Ada lives in Rome.", "triples": [triple]}
    words = ["format=records", "records.text=text", "spans.start=boundaries.0", "spans.end=boundaries.1"]
    words += ["spans.text=surfaceform", "relations.at=triples", "relations.type=predicate.surfaceform"]
    words += ["relations.head=subject", "relations.tail=object"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.jsonl", [record]), *words)
    assert relations(sentence) == [("Ada", "LivesIn", "Rome")]
    row = {"context": "Ada lives in Rome.", "triplets": "<triplet> Ada <subj> Rome <obj> lives in <subj> Ada <obj> is"}
    words = ["format=records", "records.text=context", "relations.at=triplets"]
    words += ["relations.pattern=<triplet> (?P<head>.+?) <subj> (?P<tail>.+?) <obj> (?P<type>[^<]+?)(?= <|$)"]
    (sentence,) = read(tmp_path, write(tmp_path, "b.jsonl", [row]), *words)
    assert relations(sentence) == [("Ada", "LivesIn", "Rome")]


# -- events


def test_casie(tmp_path: Path) -> None:
    argument = {"startOffset": 0, "endOffset": 4, "text": "Acme", "type": "Organization", "role": {"type": "Victim"}}
    event = {"type": "Attack", "nugget": {"startOffset": 9, "endOffset": 15, "text": "hacked"}, "argument": [argument]}
    record = {"content": "Acme was hacked. It paid.", "cyberevent": {"hopper": [{"index": "H1", "events": [event]}]}}
    words = ["format=records", "records.text=content", "records.cut=sentences", "spans.start=startOffset"]
    words += ["spans.end=endOffset", "events.at=cyberevent.hopper.events", "events.trigger=nugget"]
    words += ["events.arguments=argument", "events.role=role.type", "events.filler_type=type"]
    one, two = read(tmp_path, write(tmp_path, "a.json", record), *words)
    assert [sentence.text for sentence in (one, two)] == ["Acme was hacked.", "It paid."]
    assert events(one) == [("Attack", "hacked", {"victim": ["Acme"]})]
    assert one.events[0].arguments[0].mention.type == "Organization"


def test_duee_has_starts_without_ends(tmp_path: Path) -> None:
    event = {
        "event_type": "裁员",
        "trigger": "裁员",
        "trigger_start_index": 2,
        "arguments": [{"argument_start_index": 4, "role": "人数", "argument": "900人"}],
    }
    record = {"text": "公司裁员900人", "event_list": [event]}
    words = ["format=records", "records.text=text", "events.at=event_list", "events.type=event_type"]
    words += ["events.trigger=trigger_start_index,,trigger", "events.filler=argument_start_index,,argument"]
    (sentence,) = read(tmp_path, write(tmp_path, "a.json", [record]), *words)
    assert [event[1] for event in events(sentence)] == ["裁员"]
    assert sentence.events[0].arguments[0].mention.text == "900人"


def test_maven_says_the_type_above_the_mention(tmp_path: Path) -> None:
    mention = {"trigger_word": "left", "sent_id": 1, "offset": [1, 2]}
    record = {
        "content": [{"tokens": ["Ada", "slept"]}, {"tokens": ["Bob", "left"]}],
        "events": [{"type": "Departing", "mention": [mention]}],
    }
    words = ["format=records", "records.sentences=content.tokens", "events.at=events.mention", "spans.sentence=sent_id"]
    one, two = read(
        tmp_path, write(tmp_path, "a.json", [record]), *words, "events.trigger=offset.0,offset.1,trigger_word"
    )
    assert (events(one), events(two)) == ([], [("Departing", "left", {})])


def test_dygie_events_are_lists_of_lists(tmp_path: Path) -> None:
    record = {
        "sentences": [["Ada", "left", "Rome"], ["Bob", "slept"]],
        "events": [[[[1, "Move"], [0, 0, "Agent"], [2, 2, "From"]]], []],
    }
    words = ["format=records", "records.sentences=sentences", "spans.inclusive=true", "events.at=events"]
    words += ["events.type=0.1", "events.trigger=0.0,0.0", "events.arguments=1:", "events.role=2", "events.filler=0,1"]
    one, two = read(tmp_path, write(tmp_path, "a.jsonl", [record]), *words)
    assert events(one) == [("Move", "left", {"agent": ["Ada"], "from_": ["Rome"]})]
    assert (two.tasks, two.events) == (("ED", "EAE"), ())


LSEE = (
    "m.1\tm.2\tm.9\tAda is a chief of Acme.\torg.leadership.organization,m.2,18,22\torg.leadership.person,m.1,0,3\t"
    "negative,m.3,7,8\torg.leadership.trigger,chief,9,14\nm.4\tm.5\tnegative\tBob left Rome.\tm.4,0,3\tm.5,9,13\n"
)


def test_lsee_says_roles_in_cells(tmp_path: Path) -> None:
    words = [
        "format=records",
        "records.text=3",
        "events.at=.",
        "events.type=",
        "events.trigger=",
        "events.arguments=4:",
    ]
    words += ["events.trigger_role=trigger", "records.none=[negative]"]
    words += [r"events.pattern=(?:(?:(?P<type>[^,]+)\.)?(?P<role>[^.,]+),)?[^,]*,(?P<start>\d+),(?P<end>\d+)"]
    one, two = read(tmp_path, write(tmp_path, "a.tsv", LSEE), *words)
    assert events(one) == [("OrgLeadership", "chief", {"organization": ["Acme"], "person": ["Ada"]})]
    assert (two.tasks, two.events) == (("ED", "EAE"), ())


# -- BRAT, conversations, data sets


def test_brat_with_discontinuous_spans(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "train"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("Left and right arm ached.\nAda bought Acme for a dollar.\n")
    (folder / "a.ann").write_text(
        "T1\tSite 9 18\tright arm\nT2\tSite 0 4;15 18\tLeft arm\nT3\tPer 26 29\tAda\nT4\tOrg 37 41\tAcme\n"
        "T5\tBuy 30 36\tbought\nE1\tBuy:T5 Buyer:T3 Thing2:T4 Thing:T4 In:E2\nR1\tOwns Arg1:T3 Arg2:T4\n#1\tNote T1\n"
    )
    words = ["format=brat", f"input={tmp_path / 'data'}", "records.cut=lines", "relations.at=R", "events.at=E"]
    corpus, _ = read_by_keys(tmp_path, *words)
    one, two = corpus.splits["train"]
    assert mentions(one) == [("Site", "right arm")]
    assert mentions(two) == [("Per", "Ada"), ("Org", "Acme")]
    assert relations(two) == [("Ada", "Owns", "Acme")]
    assert events(two) == [("Buy", "bought", {"buyer": ["Ada"], "thing": ["Acme"]})]
    assert sorted(reject.reason for reject in corpus.rejects) == [
        "argument said twice", "event within an event", "mention in pieces",
    ]  # fmt: skip


def test_conversations(tmp_path: Path) -> None:
    said = [
        "Text: Ada met Bob.\nAda left.", "I've read this text.",
        "What describes person in the text?", '["Ada", "Bob", "Eve"]',
        "What describes city in the text?", "[]", "What describes dog in the text?", "none",
    ]  # fmt: skip
    record = {"conversations": [{"from": ("human", "gpt")[i % 2], "value": turn} for i, turn in enumerate(said)]}
    given = write(tmp_path, "a.json", [record, {"conversations": []}])
    corpus, counts = read_by_keys(tmp_path, given, "format=dialogue")
    (sentence,) = corpus.splits["train"]
    assert sentence.text == "Ada met Bob.\nAda left."
    assert mentions(sentence) == [("Person", "Ada"), ("Person", "Bob")]
    assert [reject.reason for reject in corpus.rejects] == [
        "entity not in the text",
        "span malformed",
        "no turn gives the text",
    ]
    assert {word: counts["train"][f"sought: {word}"] for word in ("exact", "ambiguous", "not found")} == {
        "exact": 1, "ambiguous": 1, "not found": 1,
    }  # fmt: skip


def test_a_data_set_that_datasets_loads(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir()
    record = {"tokens": ["Ada", "rests"], "tags": ["B-PER", "O"]}
    for name in ("train.jsonl", "validation.jsonl"):
        write(folder, name, [record, record])
    words = [f"dataset={folder}", "format=records", "records.tokens=tokens", "records.tags=tags"]
    corpus, _ = read_by_keys(tmp_path, *words)
    assert {split: len(found) for split, found in corpus.splits.items()} == {"train": 2, "dev": 2}
    assert mentions(corpus.splits["dev"][0]) == [("Per", "Ada")]
