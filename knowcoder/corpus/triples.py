"""Triples beside the sentence that says them, merged into one annotated sentence per text.

Two layouts: one triple a line, where the sentence comes back on several lines, and one sentence a line with
a list of triples. Triples name their arguments, so the mentions are searched in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowcoder import jsonl
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.search import search
from knowcoder.corpus.sentence import Mention, Relation, Sentence
from knowcoder.schema.concepts import Concept, RelationType

UNTYPED = "Entity"


@dataclass(frozen=True, slots=True, kw_only=True)
class TripleKeys:
    """The names of a triple file's fields.

    Attributes:
        text: the sentence.
        triples: the list of triples of a line; empty where the line itself is the triple.
    """

    text: str = "sent"
    triples: str = ""
    head: str = "sub_label"
    relation: str = "rel"
    tail: str = "obj_label"


@dataclass(frozen=True, slots=True)
class Signature:
    """A relation that triples may use: its type, and the types that its arguments thereby have.

    ``head`` and ``tail`` are ``"Entity"`` where the ontology names no type, or several.
    """

    type: str
    head: str = UNTYPED
    tail: str = UNTYPED


def read_triples(
    path: str | Path,
    keys: TripleKeys,
    relations: Mapping[str, Signature],
    *,
    source: str,
    split: str,
    language: str,
    reading: Reading,
) -> Iterator[Sentence]:
    """Yield the sentences of a triple file with the triples whose arguments stand in the text.

    The unit of the account is the triple. Rejected: a relation that ``relations`` lacks, a field that is
    missing, an argument that is not in the sentence, a triple said twice of the same sentence.

    Args:
        relations: the relation as the file spells it (id or label) -> signature.

    Raises:
        DataError: a line is not a JSON object.
    """
    texts: dict[str, _Annotated] = {}
    for line, record in enumerate(jsonl.read(path, dict[str, Any]), 1):
        text = str(record.get(keys.text, ""))
        annotated = texts.setdefault(text, _Annotated())
        for triple in record.get(keys.triples, []) if keys.triples else [record]:
            try:
                annotated.add(_relation(triple, keys, relations, text, reading))
                reading.kept += 1
            except Unusable as error:
                reading.reject(path, line, error.reason, error.value)
    reading.texts += len(texts)
    for number, (text, annotated) in enumerate(texts.items(), 1):
        if annotated.relations:
            yield Sentence(
                id=f"{source}-{split}-{number}",
                text=text,
                source=source,
                tasks=("RE",),
                entities=annotated.entities(),
                relations=tuple(annotated.relations),
                language=language,
            )


def signatures_of(concepts: Iterable[Concept]) -> dict[str, Signature]:
    """The relations among the concepts, by id and by label."""
    concepts = list(concepts)
    names = {concept.id: concept.name for concept in concepts}

    def only(ids: tuple[str, ...]) -> str:
        return names[ids[0]] if len(ids) == 1 else UNTYPED

    signatures: dict[str, Signature] = {}
    for relation in concepts:
        if isinstance(relation, RelationType):
            signature = Signature(relation.name, only(relation.head), only(relation.tail))
            signatures[relation.id] = signature
            signatures.setdefault(relation.label, signature)
    return signatures


@dataclass(slots=True)
class _Annotated:
    relations: dict[Relation, None] = field(default_factory=dict)  # a set that keeps its order

    def add(self, relation: Relation) -> None:
        if relation in self.relations:
            raise Unusable("triple said twice", f"{relation.head.text} | {relation.type} | {relation.tail.text}")
        self.relations[relation] = None

    def entities(self) -> tuple[Mention, ...]:
        """The arguments whose type is known, in the order of the text."""
        mentions = {mention for relation in self.relations for mention in (relation.head, relation.tail)}
        typed = [mention for mention in mentions if mention.type != UNTYPED]
        return tuple(sorted(typed, key=lambda mention: (mention.start or 0, mention.end or 0, mention.type)))


def _relation(
    triple: Mapping[str, Any], keys: TripleKeys, relations: Mapping[str, Signature], text: str, reading: Reading
) -> Relation:
    head, name, tail = (str(triple.get(key) or "").strip() for key in (keys.head, keys.relation, keys.tail))
    if not (head and name and tail):
        raise Unusable("field missing", " | ".join((head, name, tail)))
    signature = relations.get(name)
    if signature is None:
        raise Unusable("relation not in the ontology", name)
    head_mention, head_exact = _locate(head, signature.head, text, None, "head")
    tail_mention, tail_exact = _locate(tail, signature.tail, text, head_mention, "tail")
    reading.repaired += (not head_exact) + (not tail_exact)
    return Relation(signature.type, head_mention, tail_mention)


def _locate(name: str, kind: str, text: str, other: Mention | None, role: str) -> tuple[Mention, bool]:
    """The first occurrence that does not overlap the other argument."""
    for start, end, status in search(name, text):
        if other is None or end <= (other.start or 0) or start >= (other.end or 0):
            return Mention(kind, text[start:end], start, end), status == "exact"
    raise Unusable(f"{role} not in the sentence", name)
