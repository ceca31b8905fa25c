"""The registry: every file is complete and consistent, and reads what its data set's distribution looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
from mentions_hold import assert_mentions_hold

from knowcoder.config import configs_dir
from knowcoder.corpus import registry
from knowcoder.corpus.benchmark import read_benchmark
from knowcoder.corpus.sentence import Sentence
from knowcoder.errors import ConfigError, DataError
from knowcoder.schema.naming import class_name

FILES = Path(__file__).parent / "benchmark_files"
"""Made by hand in the documented format of each data set; ``expected.txt`` has a line for each sentence."""

PAPER = {  # types, train, dev, test: the published table of data sets
    "ace04": (7, 6202, 745, 812), "ace05-ner": (7, 7299, 971, 1060), "anatem": (1, 5861, 2118, 3830),
    "bc2gm": (1, 12500, 2500, 5000), "bc5cdr": (2, 4560, 4581, 4797), "broad-twitter": (3, 5334, 2001, 2000),
    "conll03": (4, 14041, 3250, 3453), "diann": (1, 3900, 975, 1334), "fabner": (12, 9435, 2182, 2064),
    "findvehicle": (21, 21565, 20777, 20777), "genia": (5, 15023, 1669, 1854), "mit-movie": (12, 9774, 2442, 2442),
    "mit-restaurant": (8, 7659, 1520, 1520), "multinerd": (16, 134144, 10000, 10000),
    "ncbi-disease": (1, 5432, 923, 940), "ontonotes5": (18, 107032, 14110, 10838), "wikiann": (3, 20000, 10000, 10000),
    "wnut17": (6, 3394, 1008, 1287), "crossner-ai": (13, 100, 350, 431), "crossner-literature": (11, 100, 400, 416),
    "crossner-music": (12, 100, 380, 465), "crossner-politics": (8, 199, 540, 650),
    "crossner-science": (16, 200, 450, 543), "ace05-re": (6, 10051, 2420, 2050), "ade": (1, 3417, 427, 428),
    "conll04": (5, 922, 231, 288), "gids": (4, 8526, 1417, 4307), "kbp37": (18, 15917, 1724, 3405),
    "nyt": (24, 56196, 5000, 5000), "scierc": (7, 1861, 275, 551), "semeval-re": (10, 6507, 1493, 2717),
    "ace05-ee": (33, 19216, 901, 676), "casie": (5, 11189, 1778, 3208),
}  # fmt: skip


def said(sentence: Sentence) -> str:
    """What is annotated, in a line."""
    found = [f'{mention.type} "{mention.text}"' for mention in sentence.entities]
    found += [f'{relation.type} "{relation.head.text}" "{relation.tail.text}"' for relation in sentence.relations]
    for event in sentence.events:
        arguments = [f'{argument.role}="{argument.mention.text}"' for argument in event.arguments]
        found.append(" ".join([event.type, f'"{event.trigger.text}"' if event.trigger else "-", *arguments]))
    return "; ".join(found) or "-"


@pytest.mark.parametrize("name", registry.names())
def test_every_file_is_complete(name: str) -> None:
    known = registry.load(name)
    assert known.asked
    assert known.obtain
    assert bool(known.all_labels) != known.open
    assert known.ontology or all(label.description.endswith(".") for label in known.all_labels.values())
    assert {label for label in (*known.other, *known.left_out) if label not in known.labels} <= set(known.left_out)
    if known.types and not known.ontology and not known.verified:
        assert len({label.name for label in known.counted.values()}) == known.types
    if known.verified:
        assert all(layout.expected for layout in known.splits.values())
        assert known.types


@pytest.mark.parametrize("name", PAPER)
def test_the_published_table_is_told(name: str) -> None:
    known = registry.load(name)
    own = {split: layout.expected.get("sentences") for split, layout in known.splits.items()} | {"types": known.types}
    told = {**own, **known.paper}
    assert tuple(told.get(what) for what in ("types", "train", "dev", "test")) == PAPER[name]
    assert all(count != own.get(what) for what, count in known.paper.items()), "paper= says only what differs"


UNVERIFIED = [name for name in registry.names() if not registry.load(name).verified]


@pytest.mark.parametrize("name", UNVERIFIED)
def test_the_documented_format_is_read(name: str) -> None:
    corpus = read_benchmark(name, FILES / name)
    found = [f"{split}: {said(sentence)}" for split, sentences in corpus.splits.items() for sentence in sentences]
    assert found == (FILES / name / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert_mentions_hold(corpus)
    known = registry.load(name)
    assert {reject.reason for reject in corpus.rejects} <= ({"label left out"} if known.left_out else set())
    for counts in corpus.counts.values():
        assert counts["read"] == counts["kept"] + counts["rejected"]
    offered = corpus.labels[name]
    for sentences in corpus.splits.values():
        for sentence in sentences:
            assert sentence.tasks == known.asked
            assert all(set(sentence.classes(task)) <= set(offered.of(task)) for task in sentence.tasks)
    if any(layout.expected for layout in known.splits.values()):
        assert f"{name}, train: " in corpus.warnings[0]


def test_both_counts_are_said_where_they_differ() -> None:
    warnings = read_benchmark("gids", FILES).warnings
    assert warnings[0].startswith("gids, train: 2 sentences, expected 11,297 (the paper counts 8,526)")
    assert "gids: 1 types, expected 4" in warnings[-1]
    warnings = read_benchmark("ontonotes5", FILES).warnings
    assert warnings[0].startswith("ontonotes5, train: 2 sentences (the paper counts 107,032)")


def test_a_verified_benchmark_with_other_counts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ai").mkdir()
    for split in ("train", "dev", "test"):
        (tmp_path / "ai" / f"{split}.txt").write_text("Ada\tB-researcher\nof\tO\nX\tB-planet\n\nHello\tO\n")
    with pytest.raises(DataError, match=r"train: 2 sentences, expected 100; .*benchmark=\[FILE.yaml\]"):
        read_benchmark("crossner-ai", tmp_path)
    own = tmp_path / "own.yaml"
    text = (configs_dir() / "benchmark" / "crossner-ai.yaml").read_text()
    own.write_text(text.replace("verified: true", "verified: false"))
    corpus = read_benchmark(str(own), tmp_path)
    assert "2 sentences, expected 100" in corpus.warnings[0]
    assert [reject.reason for reject in corpus.rejects] == ["label without a class"] * 3


def test_labels_that_mean_none_of_the_others_can_be_dropped() -> None:
    whole, part = (read_benchmark("conll03", FILES, keep_other=keep) for keep in (True, False))
    assert set(whole.labels["conll03"].entities) - set(part.labels["conll03"].entities) == {"Miscellaneous"}
    kept = [mention.type for sentence in part.splits["train"] for mention in sentence.entities]
    assert kept == ["Human", "Human", "Human", "SpatialEntity"]
    assert [reject.reason for reject in part.rejects] == ["label left out"]
    assert len(part.splits["train"]) == len(whole.splits["train"])
    told = [[warning for warning in corpus.warnings if "types" in warning] for corpus in (whole, part)]
    assert [len(told[0]), len(told[1])] == [1, 1]
    assert "3 types, expected 4" in told[0][0]
    assert "2 types, expected 3" in told[1][0]


def test_an_open_data_set_makes_its_classes_of_its_labels() -> None:
    corpus = read_benchmark("instructie", FILES)
    assert corpus.labels["instructie"].relations == (class_name("place of birth"),)
    assert registry.concepts_of(registry.load("instructie")) == []


def test_an_unknown_benchmark_names_those_like_it() -> None:
    with pytest.raises(ConfigError, match="did you mean crossner-"):
        registry.load("crosner-a")


def test_a_path_without_the_files_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="git clone"):
        read_benchmark("crossner-ai", tmp_path)


def test_every_published_recipe_name_is_there() -> None:
    recipe = (configs_dir() / "recipe" / "knowcoder-7b.yaml").read_text()
    named = {line.strip("- ").strip() for line in recipe.splitlines() if line.startswith("        - ")}
    assert set(PAPER) <= named
    assert named | {"kelm", "universalner", "instructie", "lsee"} <= set(registry.names()) | {
        name for name in named if name.startswith("$")
    }
