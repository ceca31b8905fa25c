"""Wikidata's JSON dump (one entity a line; plain, gzip or bzip2) as a schema.

The dump is read once. ``digest`` writes a shard for each block of it, with all that can matter later: statements of
classes and properties summed up, and the words and classes of every entity. ``merge`` chooses the types and goes
over the shards, which hold about a hundredth of the dump. So memory grows with the classes and properties, not with
the entities, and a build that was cut off goes on from its last whole shards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from sys import intern

import msgspec

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.schema.choice import Choice, Nearest, narrow
from knowcoder.schema.dump import BLOCK_SIZE, Block, blocks, each_block
from knowcoder.schema.facts import Fact
from knowcoder.schema.knowledge import Knowledge, by_number, schema_of
from knowcoder.schema.source import SchemaSource, statements
from knowcoder.schema.wikidata_entity import Entity, EntityReader, Named

_WHOLE = "whole.json"  # written when every block has its shard
_MALFORMED = "malformed entity; correct the line or fetch the dump again"
_TWICE = "id given twice; the first was kept"
_NOT_THERE = "chosen, but no class or item-valued property of the dump; correct the id"


class _Head(msgspec.Struct):
    """The first line of a shard; the entities follow. ``end`` is where its block ends in the text of the dump."""

    end: int
    lines: int = 0
    read: int = 0
    opens: bool = False
    closes: bool = False
    subclasses: list[tuple[str, str]] = []
    subproperties: list[tuple[str, str]] = []
    item_properties: list[str] = []
    heads: dict[str, list[str]] = {}
    tails: dict[str, list[str]] = {}
    qualifiers: dict[str, dict[str, int]] = {}
    instances: dict[str, int] = {}
    rejects: list[tuple[int, str]] = []


def digest(
    path: str | Path,
    shards: Path,
    *,
    languages: Sequence[str] = ("en",),
    workers: int = 1,
    block_size: int = BLOCK_SIZE,
) -> Iterator[Path]:
    """Write the shards of a dump that are not there yet, and yield the path of each when it is.

    Args:
        languages: of words; the first that has a label or description gives it, all give aliases.
        workers: processes.

    Raises:
        DataError: the file is missing, damaged or cut off, or does not begin like a dump.
    """
    if (shards / _WHOLE).exists():
        return
    done = {int(shard.stem) for shard in shards.glob("*.jsonl")}
    number = next(number for number in range(len(done) + 1) if number not in done)
    start = _head(shards / _name(number - 1)).end if number else 0
    found = blocks(path, size=block_size, number=number, start=start, threads=workers)
    count = number

    def missing() -> Iterator[Block]:
        nonlocal count
        for block in found:
            count += 1
            if block.number not in done:
                yield block

    yield from each_block(partial(_write_shard, shards=shards, languages=tuple(languages)), missing(), workers)
    jsonl.write_json(shards / _WHOLE, count)


def merge(path: str | Path, directory: Path, shards: Path, choice: Choice | None = None) -> SchemaSource:
    """The schema that the shards of a dump hold.

    Head and tail types come from the subject and value type constraints of a property (P2302 with P2308), roles of
    events from the qualifiers of its statements. ``facts.jsonl`` (an entity, its types and names) and
    ``instances.jsonl`` (a type and the number of its instances) go to ``directory``.

    Raises:
        DataError: the dump names no class and no item-valued property.
    """
    choice = choice or Choice()
    files = [shards / _name(number) for number in range(jsonl.read_json(shards / _WHOLE, int))]
    source, knowledge = SchemaSource([]), Knowledge()
    _sum_up(files, str(path), source, knowledge)
    nearest = narrow(knowledge, choice)
    if not (knowledge.classes or knowledge.properties):
        raise DataError(
            f"{path}: no class and no item-valued property in it; give Wikidata's JSON dump, or choose less"
        )
    seen: set[str] = set()
    jsonl.write(directory / "facts.jsonl", _facts(files, str(path), source, knowledge, nearest, seen))
    lines = len(source.rejects)
    _reject_absent(choice, seen, nearest, knowledge, source)
    numbers = ({"id": id, "instances": knowledge.instances[id]} for id in by_number(knowledge.classes))
    jsonl.write(directory / "instances.jsonl", (found for found in numbers if found["instances"]))
    schema_of(knowledge, source)
    references = statements(source.concepts) - len(source.concepts)
    source.read += references + len(source.rejects) - lines
    return source


def _name(number: int) -> str:
    return f"{number:06}.jsonl"


@cache
def _reader(languages: tuple[str, ...]) -> EntityReader:
    return EntityReader(languages)


def _write_shard(block: Block, shards: Path, languages: tuple[str, ...]) -> Path:
    """Read a block of the dump and write its shard."""
    text = block.read()
    reader = _reader(languages)
    head = _Head(block.end, text.count(b"\n"), opens=text.startswith(b"["), closes=text.rstrip().endswith(b"]"))
    totals: tuple[Counter[str], dict[str, Counter[str]]] = Counter(), {}
    entities: list[Named] = []
    for number, line in _lines(text):
        head.read += 1
        try:
            entity = reader.read(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            head.rejects.append((number, f"{error}; the line begins {bytes(line[:60]).decode(errors='replace')!r}"))
        else:
            entities.append(entity.named)
            _take(entity, head, *totals)
    if block.number == 0 and head.read and not entities:
        place, said = head.rejects[0]
        raise DataError(f"{block.path}:{place}: {said}; no line is an item or property, give Wikidata's JSON dump")
    head.instances, head.qualifiers = dict(totals[0]), {id: dict(found) for id, found in totals[1].items()}
    jsonl.write(shards / _name(block.number), [head, *entities])
    return shards / _name(block.number)


def _lines(text: bytes) -> Iterator[tuple[int, memoryview]]:
    """Number and text of the lines that hold something, without the comma behind it."""
    view = memoryview(text)
    if text.startswith((b"{\n", b"{\r\n")):  # one entity alone, indented
        yield 1, view
        return
    number = start = 0
    while start < len(text):
        number += 1
        end = text.find(b"\n", start)
        end = stop = len(text) if end < 0 else end
        while stop > start and text[stop - 1] in b" \t\r,":
            stop -= 1
        if bytes(view[start : min(stop, start + 2)]) not in (b"", b"[", b"]"):
            yield number, view[start:stop]
        start = end + 1


def _take(entity: Entity, head: _Head, instances: Counter[str], qualifiers: dict[str, Counter[str]]) -> None:
    """Add the statements of an entity to those of its shard."""
    id = entity.named.id
    if id.startswith("P"):
        head.subproperties += [(id, parent) for parent in entity.parents]
        if entity.datatype == "wikibase-item":
            head.item_properties.append(id)
        head.heads[id], head.tails[id] = entity.heads, entity.tails
        return
    head.subclasses += [(id, parent) for parent in entity.parents]
    instances.update(entity.named.kinds)
    for property, qualified in entity.qualified:
        qualifiers.setdefault(property, Counter()).update(qualified)


def _head(shard: Path) -> _Head:
    with open(shard, "rb") as file:
        return msgspec.json.decode(file.readline(), type=_Head)


def _sum_up(files: Sequence[Path], path: str, source: SchemaSource, knowledge: Knowledge) -> None:
    """Add the first lines of all shards."""
    lines = 0
    opens = closes = False
    for shard in files:
        head = _head(shard)
        source.read += head.read
        for line, said in head.rejects:
            source.reject(_MALFORMED, said, path, lines + line)
        lines += head.lines
        opens, closes = opens or head.opens, head.closes
        knowledge.subclasses += [(intern(child), intern(parent)) for child, parent in head.subclasses]
        knowledge.subproperties += head.subproperties
        knowledge.properties.update(head.item_properties)
        for id in head.heads:
            knowledge.heads.setdefault(id, head.heads[id])
            knowledge.tails.setdefault(id, head.tails[id])
        knowledge.instances.update(head.instances)
        for id, found in head.qualifiers.items():
            knowledge.qualifiers.setdefault(id, Counter()).update(found)
    source.counts["entities read"] = source.read
    if opens and not closes:
        source.counts["lists not closed: the dump may be cut off"] = 1


def _facts(
    files: Sequence[Path], path: str, source: SchemaSource, knowledge: Knowledge, nearest: Nearest, seen: set[str]
) -> Iterator[Fact]:
    """Yield what each entity is an instance of, among the kept classes, and keep the words of types and roles.

    ``seen`` collects the types and roles that stand in the dump.
    """
    wanted = nearest.kept | knowledge.properties | {id for roles in knowledge.qualifiers.values() for id in roles}
    for file in files:
        for named in _entities(file):
            if named.id in wanted:
                if named.id in seen:
                    source.reject(_TWICE, named.id, path)
                    continue
                seen.add(named.id)
                _keep_words(named, knowledge)
            types = dict.fromkeys(kept for kind in named.kinds for kept in nearest(kind))
            if types:
                source.counts["entities with types"] += 1
                yield Fact(named.id, list(types), [named.label, *named.aliases] if named.label else named.aliases)
            elif named.kinds:
                source.counts["entities of no kept type"] += 1


def _reject_absent(
    choice: Choice, seen: set[str], nearest: Nearest, knowledge: Knowledge, source: SchemaSource
) -> None:
    """Leave out what was chosen but is not in the dump."""
    absent = nearest.without_edges({id for id in nearest.kept - seen if not knowledge.instances[id]})
    knowledge.classes -= absent
    properties = {id for id in choice.ids or () if id.startswith("P")} - knowledge.properties
    for id in by_number(absent | properties):
        source.reject(_NOT_THERE, id)


def _entities(shard: Path) -> Iterator[Named]:
    decode = msgspec.json.Decoder(Named).decode
    with open(shard, "rb") as file:
        file.readline()
        for line in file:
            yield decode(line)


def _keep_words(named: Named, knowledge: Knowledge) -> None:
    if named.label:
        knowledge.labels[named.id] = named.label
    if named.description:
        knowledge.descriptions[named.id] = named.description
    if named.aliases:
        knowledge.aliases[named.id] = named.aliases
