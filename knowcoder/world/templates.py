"""The little language in which the sentences of the demonstration world are written, and its parser.

A template is a clause without capital and full stop:

    "{head:human} was <born> in {tail:settlement}"
    "{attacker:organization} [struck] {target:settlement} at dawn"
    "{x:landform?} is {x.a} in the north"

``{slot:type}`` is a mention. ``type`` is what the clause alone tells about it; the generator may say something
finer by a noun ("the physicist Marit Kessel") or by the name ("Lake Tessin"). After the type, ``!`` asks for a
plain name with nothing beside it, because the clause has a noun already ("the novel {x:novel!}"), and ``?`` for a
plain name whose noun stands elsewhere in the clause, as ``{x.noun}`` ("lake") or ``{x.a}`` ("a lake"), and ``=``
for exactly this type, where a finer one would make no sense. ``+`` asks for noun or telling name where the clause
alone would leave the type open.
``<...>`` is a relation phrase and ``[...]`` a trigger: held-out templates use only those of their training templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

_PIECE = re.compile(r"\{(\w+):(\w+)([!?=+]?)\}|\{(\w+)\.(a|noun)\}|\[([^\]]+)\]|<([^>]+)>|([^{}<>\[\]]+)")


Mode: TypeAlias = Literal["", "!", "?", "=", "+"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A mention: ``name`` is the role, ``type`` the entity type id that the clause tells."""

    name: str
    type: str
    mode: Mode = ""


@dataclass(frozen=True, slots=True)
class Noun:
    """The noun of a slot, with its article or without."""

    slot: str
    article: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A relation phrase or the trigger of an event."""

    text: str
    trigger: bool


Piece: TypeAlias = str | Slot | Noun | Key


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed clause with what it expresses.

    Attributes:
        relations: (relation id, head slot, tail slot).
        event: event id; its arguments are the slots whose names are roles of the event.
    """

    text: str
    pieces: tuple[Piece, ...]
    relations: tuple[tuple[str, str, str], ...] = ()
    event: str = ""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The mentions in the order of the text."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Slot))

    @property
    def keys(self) -> tuple[str, ...]:
        """The relation phrases and triggers."""
        return tuple(piece.text for piece in self.pieces if isinstance(piece, Key))


@dataclass(frozen=True, slots=True)
class Family:
    """The templates that express the same thing. The first held-out one is for ``dev``, the others for ``test``."""

    train: tuple[Template, ...]
    held_out: tuple[Template, ...]


def parse_template(text: str, relations: tuple[tuple[str, str, str], ...] = (), event: str = "") -> Template:
    """Parses a clause.

    Raises:
        ValueError: a piece of the clause is malformed, or a slot that is referred to is missing.
    """
    pieces: list[Piece] = []
    position = 0
    while match := _PIECE.match(text, position):
        slot, type_, mode, noun_of, noun_form, trigger, phrase, literal = match.groups()
        if slot:
            pieces.append(Slot(slot, type_, cast("Mode", mode)))
        elif noun_of:
            pieces.append(Noun(noun_of, noun_form == "a"))
        elif trigger or phrase:
            pieces.append(Key(trigger or phrase, bool(trigger)))
        else:
            pieces.append(literal)
        position = match.end()
    template = Template(text, tuple(pieces), relations, event)
    known = [slot.name for slot in template.slots]
    asked = [name for _, head, tail in relations for name in (head, tail)]
    asked += [piece.slot for piece in pieces if isinstance(piece, Noun)]
    if position < len(text) or len(set(known)) < len(known) or not set(asked) <= set(known):
        raise ValueError(f"malformed template: {text!r}")
    return template


def relation_family(relation: str, train: tuple[str, ...], held_out: tuple[str, ...]) -> Family:
    """A family whose clauses relate the slots ``head`` and ``tail``."""
    links = ((relation, "head", "tail"),)
    return Family(tuple(parse_template(t, links) for t in train), tuple(parse_template(t, links) for t in held_out))


def event_family(event: str, train: tuple[str, ...], held_out: tuple[str, ...]) -> Family:
    """A family whose clauses report an event; slots are named after its roles."""
    return Family(
        tuple(parse_template(t, event=event) for t in train), tuple(parse_template(t, event=event) for t in held_out)
    )


def plain_family(train: tuple[str, ...], held_out: tuple[str, ...]) -> Family:
    """A family whose clauses hold mentions at most, neither relation nor event."""
    return Family(tuple(parse_template(t) for t in train), tuple(parse_template(t) for t in held_out))
