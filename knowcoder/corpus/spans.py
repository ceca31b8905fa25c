"""What an annotation says of a place: the pieces of a mention, in whatever way a record spells them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from knowcoder.config.corpus import SpanKeys
from knowcoder.corpus.paths import Found, value_at
from knowcoder.corpus.reading import Unusable


class Piece(NamedTuple):
    """A range, end exclusive, or the text that is to be sought; ``sentence`` is where its offsets count."""

    start: int | None
    end: int | None
    text: str | None
    sentence: int | None = None

    def __str__(self) -> str:
        return self.text or f"{self.start}:{self.end}"


def reference_at(item: Found, spec: str, keys: SpanKeys) -> Any:
    """What ``spec`` says of an annotation: a piece for START,END,TEXT, else whatever stands at the path."""
    if "," not in spec:
        return item.get(spec)
    start, end, text = (item.get(path) for path in (*spec.split(","), "")[:3])
    return None if start is text is None else _piece(start, end, text, item.get(keys.sentence), keys)


def only_piece(item: Found, keys: SpanKeys) -> Piece:
    """The one piece of the one mention that an annotation is.

    Raises:
        Unusable: it is none, several, or one in pieces.
    """
    mentions = mentions_in(item.value, keys, item.named.get(keys.text))
    if len(mentions) != 1:
        raise Unusable("not one mention but several", str(mentions)[:80])
    return whole(mentions[0])


def whole(pieces: list[Piece]) -> Piece:
    """The only piece of a mention."""
    if len(pieces) != 1:
        raise Unusable("mention in pieces", " ... ".join(map(str, pieces)))
    return pieces[0]


def mentions_in(value: Any, keys: SpanKeys, text: str | None = None) -> list[list[Piece]]:
    """The mentions that a value holds, each as its pieces.

    A text; a list of start and end; or an object with the fields of ``keys``, where lists say pieces: of texts, of
    [start, end], or of both; and lists of lists several mentions. ``text`` is the mention's where the value has none.
    """
    if isinstance(value, Piece):
        return [[value]]
    if isinstance(value, str):
        return [[Piece(None, None, value)]]
    starts, ends, texts = (value_at(value, path) for path in (keys.start, keys.end, keys.text))
    if isinstance(value, list) and starts is None:
        starts, ends = (*value, None, None)[:2]
        texts = None
    elif not isinstance(value, dict | list):
        raise Unusable("span missing", str(value)[:80])
    try:
        return list(_mentions(starts, ends, text if texts is None else texts, value_at(value, keys.sentence), keys))
    except (IndexError, TypeError, ValueError):
        raise Unusable("span malformed", str(value)[:80]) from None


def _mentions(starts: Any, ends: Any, texts: Any, sentence: Any, keys: SpanKeys) -> Iterator[list[Piece]]:
    if not isinstance(starts, list):
        yield [_piece(starts, ends, texts, sentence, keys)]
    elif isinstance(texts, list) and texts and isinstance(texts[0], list):
        for own_starts, own_texts in zip(starts, texts, strict=True):
            yield [_piece(start, None, text, sentence, keys) for start, text in zip(own_starts, own_texts, strict=True)]
    else:
        if starts and isinstance(starts[0], list):
            starts, ends = [start for start, _ in starts], [end for _, end in starts]
        said = texts if isinstance(texts, list) else [texts if len(starts) == 1 else None] * len(starts)
        ends = ends if isinstance(ends, list) else [None] * len(starts)
        yield [_piece(*piece, sentence, keys) for piece in zip(starts, ends, said, strict=True)]


def _piece(start: Any, end: Any, text: Any, sentence: Any, keys: SpanKeys) -> Piece:
    if not isinstance(text, str | None):
        raise Unusable("span malformed", str(text)[:80])
    begin = _number(start)
    if begin is None:
        if text is None:
            raise Unusable("span missing", str(start)[:80])
        return Piece(None, None, text, _number(sentence))
    last = _number(end)
    if last is None:
        if text is None:
            raise Unusable("span malformed", f"start {start}, neither end nor text")
        return Piece(begin, begin + len(text), text, _number(sentence))
    return Piece(begin, last + keys.inclusive, text, _number(sentence))


def _number(value: Any) -> int | None:
    """A whole number, which rows and patterns give as text; none where there is nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unusable("span malformed", str(value)[:80])
    return value
