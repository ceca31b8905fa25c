"""Text and classes in, typed objects with offsets out: the interface for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from knowcoder.codec.model_card import ModelCard
from knowcoder.corpus.sentence import Annotations, Sentence
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
    """

    def __init__(
        self, engine: Engine, card: ModelCard, library: SchemaLibrary | None = None, decoding: Decoding = "auto"
    ) -> None:
        self.engine = engine
        self.card = card
        self.library = library
        self.decoding: Decoding = decoding

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        library: SchemaLibrary | str | Path | None = None,
        device: str = "auto",
        decoding: Decoding = "auto",
    ) -> Extractor:
        """Load a model folder or a model of the Hugging Face hub.

        Raises:
            ModelError: it does not load.
        """
        engine, card = open_model(model, device)
        if isinstance(library, str | Path):
            library = SchemaLibrary.load(library)
        return cls(engine, card, library, decoding)

    def __call__(self, text: str, classes: Sequence[LiveClass | str] = ()) -> list[Extracted]:
        """Everything of these classes in a text: entities, then relations, then events with their arguments.

        Args:
            classes: subclasses of ``Entity``, ``Relation`` and ``Event``, or names of the library's types (all of
                one kind); empty takes the whole library.

        Raises:
            ConfigError: classes and names are mixed, or names are given without a library.
            DataError: a class or name is not known.
        """
        library, known, names = self._schema(classes)
        predictor = Predictor(library, self.engine, self.card, decoding=self.decoding)
        sentence = Sentence(id="", text=text)
        offered: dict[Task, list[str]] = {}
        for name in names:
            offered.setdefault(_TASKS[kind_of(library.by_name(name))], []).append(name)
        found = predictor.predict([Request(sentence, task, tuple(of_task)) for task, of_task in offered.items()])
        events = tuple(event for prediction in found for event in prediction.annotations.events)
        if any(isinstance(kind := library.by_name(event.type), EventType) and kind.roles for event in events):
            told = replace(sentence, events=events)
            (answer,) = predictor.predict([Request(told, "EAE", tuple(told.classes("EAE")))])
            events = answer.annotations.events
        entities = tuple(entity for prediction in found for entity in prediction.annotations.entities)
        relations = tuple(relation for prediction in found for relation in prediction.annotations.relations)
        return as_objects(Annotations(entities, relations, events), known)

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
