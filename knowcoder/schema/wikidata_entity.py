"""One line of Wikidata's JSON dump: what it says of classes, properties and instances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec

SUBCLASS, INSTANCE, SUBPROPERTY, CONSTRAINT, CONSTRAINT_CLASS = "P279", "P31", "P1647", "P2302", "P2308"
SUBJECT_TYPE, VALUE_TYPE = "Q21503250", "Q21510865"
#: Labels that hold in every language; Wikidata shows them where a language has none of its own.
ANY_LANGUAGE = "mul"


class _DataValue(msgspec.Struct):
    value: Any


class _Snak(msgspec.Struct):
    datavalue: _DataValue | None = None


class _Claim(msgspec.Struct):
    mainsnak: _Snak
    rank: str = "normal"
    qualifiers: dict[str, list[_Snak]] | list[Any] = {}


class _Qualified(msgspec.Struct):
    """A statement of which only the properties of its qualifiers are read."""

    rank: str = "normal"
    qualifiers: dict[str, msgspec.Raw] | list[Any] = {}


class _Word(msgspec.Struct):
    value: str


class Named(msgspec.Struct, array_like=True):
    """An item or property with its words and the classes that it is an instance of."""

    id: str
    kinds: list[str]
    label: str
    description: str
    aliases: list[str]


class Entity(msgspec.Struct):
    """What a line says.

    Attributes:
        parents: superclasses of an item, superproperties of a property.
        datatype: of a property's values; "" for an item.
        heads: of a property: classes that its subject must be an instance of; ``tails`` likewise for its value.
        qualified: for each statement with qualifiers, its property and the properties of its qualifiers.
    """

    named: Named
    parents: list[str]
    datatype: str = ""
    heads: list[str] = []
    tails: list[str] = []
    qualified: list[tuple[str, list[str]]] = []


class EntityReader:
    """Reads lines. Only what is used is decoded; the rest is passed over.

    Old dumps write an empty object as ``[]``, and name an item by number.

    Args:
        languages: of words; the first that has a label or description gives it, all give aliases.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._line = msgspec.json.Decoder(_line_type([*languages, ANY_LANGUAGE]))
        self._claims = msgspec.json.Decoder(list[_Claim])
        self._qualified = msgspec.json.Decoder(list[_Qualified])

    def read(self, line: bytes | memoryview) -> Entity:
        """Decode a line.

        Raises:
            msgspec.DecodeError: it is no item or property as Wikidata writes them.
        """
        found = self._line.decode(line)
        claims = found.claims if isinstance(found.claims, dict) else {}
        named = Named(found.id, self._values(claims, INSTANCE), *_words(found))
        if found.type == "item":
            return Entity(named, self._values(claims, SUBCLASS), qualified=self._qualifiers(claims))
        entity = Entity(named, self._values(claims, SUBPROPERTY), found.datatype, [], [])
        for claim in self._statements(claims, CONSTRAINT):
            types = {SUBJECT_TYPE: entity.heads, VALUE_TYPE: entity.tails}.get(_value(claim.mainsnak))
            if types is not None and isinstance(claim.qualifiers, dict):
                classes = [_value(snak) for snak in claim.qualifiers.get(CONSTRAINT_CLASS, ())]
                types.extend(id for id in classes if id)
        return entity

    def _statements(self, claims: dict[str, msgspec.Raw], property: str) -> list[_Claim]:
        """The statements of a property that are not deprecated."""
        found = self._claims.decode(claims[property]) if property in claims else []
        return [claim for claim in found if claim.rank != "deprecated"]

    def _values(self, claims: dict[str, msgspec.Raw], property: str) -> list[str]:
        values = (_value(claim.mainsnak) for claim in self._statements(claims, property))
        return list(dict.fromkeys(value for value in values if value))

    def _qualifiers(self, claims: dict[str, msgspec.Raw]) -> list[tuple[str, list[str]]]:
        return [
            (property, list(statement.qualifiers))
            for property, raw in claims.items()
            if b'"qualifiers"' in bytes(raw)  # most properties have none, and looking is faster than decoding
            for statement in self._qualified.decode(raw)
            if statement.rank != "deprecated" and isinstance(statement.qualifiers, dict) and statement.qualifiers
        ]


def _line_type(languages: Iterable[str]) -> Any:
    """The fields of a line, with fields for the chosen languages only."""
    names = {f"in_{number}": language for number, language in enumerate(dict.fromkeys(languages))}

    def by_language(kind: Any) -> Any:
        fields = [(name, kind | None, None) for name in names]
        return msgspec.defstruct("ByLanguage", fields, rename=names) | list[Any] | None

    return msgspec.defstruct(
        "Line",
        [
            ("id", Annotated[str, msgspec.Meta(pattern=r"^[QP][1-9][0-9]*\Z")]),
            ("type", Literal["item", "property"]),
            ("datatype", str, ""),
            ("labels", by_language(_Word), None),
            ("descriptions", by_language(_Word), None),
            ("aliases", by_language(list[_Word]), None),
            ("claims", dict[str, msgspec.Raw] | list[Any], {}),
        ],
    )


def _words(line: Any) -> tuple[str, str, list[str]]:
    """Label and description, in the first language that has them, and all other names."""
    labels = [word.value for word in _by_language(line.labels)]
    descriptions = [word.value for word in _by_language(line.descriptions)]
    label = labels[0] if labels else ""
    names = dict.fromkeys([*labels, *(word.value for words in _by_language(line.aliases) for word in words)])
    names.pop(label, None)
    return label, descriptions[0] if descriptions else "", list(names)


def _by_language(words: Any) -> list[Any]:
    if words is None or isinstance(words, list):
        return []
    return [word for word in msgspec.structs.astuple(words) if word is not None]


def _value(snak: _Snak) -> str:
    """The id of the item or property that a snak names, or "" where it names none ("unknown value")."""
    value = snak.datavalue.value if snak.datavalue else None
    if not isinstance(value, dict):
        return ""
    if "id" in value:
        return str(value["id"])
    prefix = "P" if value.get("entity-type") == "property" else "Q"
    return f"{prefix}{value['numeric-id']}" if "numeric-id" in value else ""
