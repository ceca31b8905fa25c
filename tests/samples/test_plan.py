"""A plan says once and for all which lines are taken, however they are cut into shards."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowcoder import jsonl
from knowcoder.config import SamplesConfig
from knowcoder.errors import ArtefactError, ConfigError
from knowcoder.samples.plan import Unit, drawn, plan

IN_PLACE = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@IN_PLACE
@given(st.lists(st.text(max_size=5), max_size=30), st.integers(1, 10), st.booleans())
def test_the_parts_of_a_file_are_its_lines(tmp_path: Path, texts: list[str], lines: int, ends: bool) -> None:
    path = tmp_path / "texts.jsonl"
    jsonl.write(path, texts)
    if not ends:
        path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    parts = jsonl.parts(path, lines)
    assert [text for part in parts for text in jsonl.read(path, str, part)] == texts
    assert [part.line for part in parts] == list(range(1, len(texts) + 1, lines))
    assert all(part.lines == lines for part in parts[:-1])


def test_a_wrong_line_of_a_part_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("1\n2\n3\nfour\n")
    last = jsonl.parts(tmp_path / "x.jsonl", 3)[1]
    with pytest.raises(Exception, match=r"x\.jsonl:4: "):
        list(jsonl.read(tmp_path / "x.jsonl", int, last))


@given(st.integers(1, 5000), st.data())
def test_exactly_what_is_wanted_is_drawn_however_the_lines_are_cut(total: int, data: st.DataObject) -> None:
    wanted = data.draw(st.integers(0, total))
    cut = data.draw(st.integers(0, total))
    whole = Unit(kind="sentences", wanted=wanted, total=total)
    taken = list(drawn(range(total), whole, "1"))
    assert len(taken) == wanted
    first = drawn(range(cut), whole, "1")
    rest = drawn(
        range(cut, total), Unit(kind="sentences", part=jsonl.Part(0, cut + 1), wanted=wanted, total=total), "1"
    )
    assert [*first, *rest] == taken


def test_rounds_and_seeds_draw_other_lines() -> None:
    def lines(round: int, key: str) -> list[int]:
        return list(drawn(range(200), Unit(kind="sentences", round=round, wanted=100, total=200), key))

    assert lines(0, "1") == lines(0, "1")
    assert len({tuple(lines(round, key)) for round in range(3) for key in "12"}) == 6


def corpus(folder: Path, count: int) -> str:
    jsonl.write(folder / "train.jsonl", [{"id": str(number), "text": "x"} for number in range(count)])
    return str(folder)


def asked(**keys: object) -> SamplesConfig:
    return SamplesConfig(**{"output": "o", "phase": "following", "tokenizer": "t", "schema": "s"} | keys)  # type: ignore[arg-type]


def taken(units: list[Unit]) -> dict[int, int]:
    """Sentences per corpus: each round of a corpus takes what it wants once, however many units it is cut into."""
    rounds = {(unit.input, unit.round): unit.wanted for unit in units if unit.kind == "sentences"}
    return {number: sum(w for (i, _), w in rounds.items() if i == number) for number in {i for i, _ in rounds}}


@pytest.mark.parametrize("shard", [3, 7, 100])
def test_weights_caps_and_passes_say_how_often_a_corpus_is_taken(tmp_path: Path, shard: int) -> None:
    corpora = [corpus(tmp_path / str(count), count) for count in (10, 20, 30, 1)]
    assert taken(plan(asked(corpus=corpora, shard=shard))) == {0: 10, 1: 20, 2: 30, 3: 1}
    weighted = plan(asked(corpus=corpora, shard=shard, weights=[2.5, 0.5, 0, 1]))
    assert taken(weighted) == {0: 25, 1: 10, 3: 1}
    assert [unit.round for unit in weighted if unit.input == 0 and unit.part.line == 1] == [0, 1, 2]
    assert taken(plan(asked(corpus=corpora, shard=shard, caps=[15, 0, 12, 5]))) == {0: 10, 1: 20, 2: 12, 3: 1}
    assert taken(plan(asked(corpus=corpora, shard=shard, weights=[3, 1, 1, 1], caps=[15, 0, 0, 0])))[0] == 15
    passes = plan(asked(corpus=corpora, shard=shard, passes=2, weights=[1.5, 1, 1, 1]))
    assert taken(passes) == {0: 30, 1: 40, 2: 60, 3: 2}
    assert sorted({unit.round for unit in passes if unit.input == 0}) == [0, 1, 2, 3]


def test_definitions_come_once_per_pass_and_instances_once(tmp_path: Path) -> None:
    units = plan(asked(phase="understanding", passes=3, corpus=[corpus(tmp_path, 4)]))
    assert [(unit.kind, unit.round) for unit in units] == [
        *(("definitions", number) for number in range(3)),
        ("sentences", 0),
    ]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "phase=following learns from annotated sentences; give corpus="),
        ({"schema": ""}, "phase=following defines classes; give schema="),
        ({"phase": "published"}, r"give rows=\[FILE"),
        ({"corpus": ["CORPUS"], "weights": [1, 2]}, r"weights=\[1, 2\]: 1 corpora are given"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, keys: dict[str, object], said: str) -> None:
    made = {name: [corpus(tmp_path, 2)] if value == ["CORPUS"] else value for name, value in keys.items()}
    with pytest.raises(ConfigError, match=said):
        plan(asked(**made))


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no split 'dev' in this corpus; it has: train"):
        plan(asked(corpus=[corpus(tmp_path, 2)], split="dev"))
