"""The one door to the readers: a file and its layout in, annotated sentences out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypedDict, Unpack

from knowcoder.config.corpus import LayoutConfig
from knowcoder.corpus.annotations import annotated
from knowcoder.corpus.brat import layout_of_brat, read_document
from knowcoder.corpus.columns import read_columns
from knowcoder.corpus.dialogue import layout_of_dialogue, told_as_records
from knowcoder.corpus.labels import UNTYPED, Classes
from knowcoder.corpus.passage import Passage
from knowcoder.corpus.reading import Reading
from knowcoder.corpus.records import Numbered, read_records
from knowcoder.corpus.sentence import Mention, Sentence
from knowcoder.schema.concepts import TASKS, Task


class About(TypedDict):
    """What every reader is told of the sentences that it yields, and the account that it keeps."""

    source: str
    split: str
    language: str
    reading: Reading


def read_file(
    path: str | Path,
    layout: LayoutConfig,
    classes: Classes,
    **about: Unpack[About],
) -> Iterator[Sentence]:
    """Yield the sentences of a file, or for BRAT of all documents under a folder.

    Raises:
        DataError: the file is malformed as a whole. What is wrong with one unit is rejected and counted.
    """
    if layout.format == "columns":
        return _tagged_sentences(read_columns(path, layout.columns, classes, about["reading"]), about)
    if layout.format == "brat":
        layout = layout_of_brat(layout)
        return _sentences(_documents(Path(path), layout, classes, about["reading"]), about)
    return read_rows(read_records(path, layout.records), path, layout, classes, **about)


def read_rows(
    records: Iterable[Numbered],
    path: str | Path,
    layout: LayoutConfig,
    classes: Classes,
    **about: Unpack[About],
) -> Iterator[Sentence]:
    """Yield the sentences of records; ``path`` is what rejects name."""
    if layout.format == "dialogue":
        records, layout = told_as_records(records, layout.dialogue), layout_of_dialogue(layout)
    return _sentences(annotated(records, path, layout, classes, about["reading"]), about)


def _documents(path: Path, layout: LayoutConfig, classes: Classes, reading: Reading) -> Iterator[Passage]:
    for file in sorted(path.rglob("*.ann")) if path.is_dir() else [path]:
        yield from annotated([(1, read_document(file))], file, layout, classes, reading)


def _tagged_sentences(found: Iterable[tuple[str, tuple[Mention, ...]]], about: About) -> Iterator[Sentence]:
    source, split, language = about["source"], about["split"], about["language"]
    tasks: tuple[Task, ...] = ("NER",)
    for number, (text, entities) in enumerate(found, 1):
        id = f"{source}-{split}-{number}"
        yield Sentence(id=id, text=text, source=source, tasks=tasks, entities=entities, language=language)


def _sentences(passages: Iterable[Passage], about: About) -> Iterator[Sentence]:
    for number, passage in enumerate(passages, 1):
        yield Sentence(
            id=f"{about['source']}-{about['split']}-{number}",
            text=passage.text,
            source=about["source"],
            tasks=tuple(task for task in TASKS if task in passage.tasks or (task == "NER" and passage.linked)),
            entities=_entities(passage),
            relations=tuple(passage.relations),
            events=tuple(passage.events),
            language=about["language"],
        )


def _entities(passage: Passage) -> tuple[Mention, ...]:
    """What is annotated; where entities are not, the arguments whose type is known, in the order of the text."""
    if "NER" in passage.tasks and not passage.linked:
        return tuple(passage.entities)
    mentions = {*passage.entities, *passage.linked}
    mentions |= {mention for relation in passage.relations for mention in (relation.head, relation.tail)}
    mentions |= {argument.mention for event in passage.events for argument in event.arguments}
    typed = [mention for mention in mentions if mention.type != UNTYPED]
    return tuple(sorted(typed, key=lambda mention: (mention.start or 0, mention.end or 0, mention.type)))
