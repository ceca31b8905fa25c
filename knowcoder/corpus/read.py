"""The one door to the readers: a file and its layout in, annotated sentences out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from knowcoder.config.corpus import LayoutConfig
from knowcoder.corpus.annotations import annotated, tasks_of
from knowcoder.corpus.columns import read_columns
from knowcoder.corpus.labels import UNTYPED, Classes
from knowcoder.corpus.passage import Passage
from knowcoder.corpus.reading import Reading
from knowcoder.corpus.records import read_records
from knowcoder.corpus.sentence import Mention, Sentence


def read_file(
    path: str | Path,
    layout: LayoutConfig,
    classes: Classes,
    *,
    source: str,
    split: str,
    language: str,
    reading: Reading,
) -> Iterator[Sentence]:
    """Yield the sentences of a file; ``reading`` takes the account of what was kept and rejected.

    Raises:
        DataError: the file is malformed as a whole. What is wrong with one unit is rejected and counted.
    """
    tasks = tasks_of(layout)
    for number, passage in enumerate(_passages(path, layout, classes, reading), 1):
        yield Sentence(
            id=f"{source}-{split}-{number}",
            text=passage.text,
            source=source,
            tasks=tasks,
            entities=tuple(passage.entities) if "NER" in tasks else _typed_arguments(passage),
            relations=tuple(passage.relations),
            events=tuple(passage.events),
            language=language,
        )


def _passages(path: str | Path, layout: LayoutConfig, classes: Classes, reading: Reading) -> Iterator[Passage]:
    if layout.format == "columns":
        return read_columns(path, layout.columns, classes, reading)
    return annotated(read_records(path, layout.records), path, layout, classes, reading)


def _typed_arguments(passage: Passage) -> tuple[Mention, ...]:
    """The arguments whose type is known, in the order of the text, where entities are not annotated themselves."""
    mentions = {mention for relation in passage.relations for mention in (relation.head, relation.tail)}
    mentions |= {argument.mention for event in passage.events for argument in event.arguments}
    typed = [mention for mention in mentions if mention.type != UNTYPED]
    return tuple(sorted(typed, key=lambda mention: (mention.start or 0, mention.end or 0, mention.type)))
