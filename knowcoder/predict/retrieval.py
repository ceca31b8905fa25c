"""Which of many documents speak of the same as a query: BM25 (Robertson and Zaragoza, 2009), in memory."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from knowcoder.schema.concepts import Concept
from knowcoder.schema.library import SchemaLibrary

# A word, a part of a name such as BornIn, or one letter of a script without spaces.
_WORD = re.compile("[\u2e80-\U0010ffff]|[A-Z]?[^\\W_A-Z\u2e80-\U0010ffff]+|[A-Z]+(?![a-z])")
_K1, _B = 1.2, 0.75


class Bm25:
    """An index of documents, asked for the best few."""

    def __init__(self, documents: Sequence[str]) -> None:
        counted = [Counter(_words(document)) for document in documents]
        lengths = [words.total() for words in counted]
        average = sum(lengths) / max(len(lengths), 1) or 1.0
        found_in = Counter(word for words in counted for word in words)
        self._size = len(documents)
        self._weights: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, words in enumerate(counted):
            dampened = _K1 * (1 - _B + _B * lengths[number] / average)
            for word, count in words.items():
                rarity = math.log(1 + (len(documents) - found_in[word] + 0.5) / (found_in[word] + 0.5))
                self._weights[word].append((number, rarity * count * (_K1 + 1) / (count + dampened)))

    def ranked(self, query: str) -> list[int]:
        """All documents, best first; equally good ones in their own order."""
        scores = [0.0] * self._size
        for word in set(_words(query)):
            for number, weight in self._weights.get(word, ()):
                scores[number] += weight
        return sorted(range(self._size), key=lambda number: -scores[number])


def class_index(library: SchemaLibrary, names: Sequence[str]) -> Bm25:
    """An index of classes by what the library says of them: names, description, examples."""
    return Bm25([" ".join(_described(library.by_name(name))) for name in names])


def _described(concept: Concept) -> Iterator[str]:
    yield from (concept.name, concept.label, *concept.aliases, concept.description)
    for example in concept.examples:
        yield from [example] if isinstance(example, str) else example


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
