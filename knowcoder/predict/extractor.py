"""Text and classes in, typed objects with offsets out: the interface for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from knowcoder.codec.model_card import ModelCard
from knowcoder.corpus.sentence import Annotations, Event, Sentence
from knowcoder.errors import ConfigError
from knowcoder.predict.engines import Engine, open_model
from knowcoder.predict.live_classes import Extracted, as_objects, classes_of
from knowcoder.predict.predict import Decoding, Predictor, Request
from knowcoder.schema.concepts import EventType, Task
from knowcoder.schema.library import Kind, SchemaLibrary, kind_of
from knowcoder.schema.live import LiveClass, read_classes

_TASKS: dict[Kind, Task] = {"entity": "NER", "relation": "RE", "event": "ED"}


class Extractor:
    """Extracts objects of classes from text.

    Example::

        extractor = Extractor.from_pretrained("outputs/demo/model")
        extractor("Ada Lovelace was born in London.", [Human, City, BornIn])

    Args:
        library: where class names are looked up; not needed for classes of the user's own.
        how: further arguments of ``Predictor``: ``pieces="window"`` for long texts, ``retrieve=20`` for many classes.
    """

    def __init__(
        self,
        engine: Engine,
        card: ModelCard,
        library: SchemaLibrary | None = None,
        decoding: Decoding = "auto",
        **how: Any,
    ) -> None:
        self.engine = engine
        self.card = card
        self.library = library
        self.decoding: Decoding = decoding
        self.how = how

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        library: SchemaLibrary | str | Path | None = None,
        device: str = "auto",
        decoding: Decoding = "auto",
        **how: Any,
    ) -> Extractor:
        """Load a model folder or a model of the Hugging Face hub.

        Raises:
            ModelError: it does not load.
        """
        engine, card = open_model(model, device)
        if isinstance(library, str | Path):
            library = SchemaLibrary.load(library)
        return cls(engine, card, library, decoding, **how)

    def __call__(self, text: str, classes: Sequence[LiveClass | str] = ()) -> list[Extracted]:
        """Everything of these classes in a text: entities, then relations, then events with their arguments.

        Args:
            classes: subclasses of ``Entity``, ``Relation`` and ``Event``, or names of the library's types (all of
                one kind); empty takes the whole library.

        Raises:
            ConfigError: classes and names are mixed, or names are given without a library.
            DataError: a class or name is not known.
        """
        return self.many([text], classes)[0]

    def many(self, texts: Iterable[str], classes: Sequence[LiveClass | str] = ()) -> list[list[Extracted]]:
        """The same for many texts, which are answered together: much faster than one by one."""
        library, known, names = self._schema(classes)
        predictor = Predictor(library, self.engine, self.card, decoding=self.decoding, **self.how)
        offered: dict[Task, list[str]] = {}
        for name in names:
            offered.setdefault(_TASKS[kind_of(library.by_name(name))], []).append(name)
        sentences = [Sentence(id=str(number), text=text) for number, text in enumerate(texts)]
        requests = [Request(s, task, tuple(of_task)) for s in sentences for task, of_task in offered.items()]
        found = [Annotations() for _ in sentences]
        for prediction in predictor.predict(requests):
            found[int(prediction.id)] += prediction.annotations
        with_roles = [s for s, made in zip(sentences, found, strict=True) if _may_have_arguments(made.events, library)]
        told = [replace(sentence, events=found[int(sentence.id)].events) for sentence in with_roles]
        for prediction in predictor.predict([Request(s, "EAE", tuple(s.classes("EAE"))) for s in told]):
            found[int(prediction.id)] = replace(found[int(prediction.id)], events=prediction.annotations.events)
        return [as_objects(made, known) for made in found]

    def _schema(self, classes: Sequence[LiveClass | str]) -> tuple[SchemaLibrary, dict[str, LiveClass], list[str]]:
        """The library, its classes by name, and the names asked for."""
        live = [item for item in classes if not isinstance(item, str)]
        names = [item for item in classes if isinstance(item, str)]
        if live and names:
            raise ConfigError(f"classes and names are mixed ({names[0]!r} is a name); give one or the other")
        if live:
            library, known = read_classes(live)
            return library, known, [cls.__name__ for cls in live]
        if self.library is None:
            raise ConfigError("no classes: give classes, or a schema library in which to look up names")
        return self.library, classes_of(self.library), names or [concept.name for concept in self.library]


def _may_have_arguments(events: Iterable[Event], library: SchemaLibrary) -> bool:
    return any(isinstance(kind := library.by_name(event.type), EventType) and kind.roles for event in events)
