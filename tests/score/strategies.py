"""Random sentences and predictions for the tests of scoring, small enough that answers collide often."""

from __future__ import annotations

from hypothesis import strategies as st

from knowcoder.corpus.sentence import Annotations, Argument, Event, LabelSet, Mention, Relation, Sentence
from knowcoder.schema.concepts import TASKS
from knowcoder.score.match import of_task
from knowcoder.score.prediction import Prediction

TEXT = "Ana met Bo in Oslo; Bo paid Ana in Oslo."
CLASSES = ("Human", "City", "Firm")
LABELS = {name: LabelSet(entities=CLASSES, relations=CLASSES, events=CLASSES) for name in ("", "one", "two")}

_pieces = st.sampled_from(["Ana", "Bo", "Oslo", "met", "paid", "Bo in Oslo", "Rome"])
mentions = st.builds(Mention, st.sampled_from(CLASSES), _pieces)
_triggers = st.none() | st.builds(Mention, st.just("Entity"), _pieces)
_arguments = st.lists(st.builds(Argument, st.sampled_from(["agent", "place"]), mentions), max_size=3).map(tuple)
_events = st.builds(Event, st.sampled_from(CLASSES), _triggers, _arguments)
annotations = st.builds(
    Annotations,
    st.lists(mentions, max_size=4).map(tuple),
    st.lists(st.builds(Relation, st.sampled_from(CLASSES), mentions, mentions), max_size=3).map(tuple),
    st.lists(_events, max_size=3).map(tuple),
)


def sentence(number: int, found: Annotations, source: str = "one", group: str = "") -> Sentence:
    return Sentence(
        id=f"s{number}",
        text=TEXT,
        source=source,
        tasks=TASKS,
        entities=found.entities,
        relations=found.relations,
        events=found.events,
        group=group,
    )


def predict(number: int, found: Annotations, problems: tuple[str, ...] = ()) -> list[Prediction]:
    """The same annotations as the answers to all four tasks."""
    return [
        Prediction(id=f"s{number}", task=task, annotations=of_task(found, task), problems=problems) for task in TASKS
    ]


@st.composite
def systems(draw: st.DrawFn) -> tuple[list[Sentence], list[Prediction]]:
    """Gold sentences and a prediction for each of them and each task."""
    pairs = draw(st.lists(st.tuples(annotations, annotations), min_size=1, max_size=5))
    gold = [sentence(i, found, "one" if i % 2 else "two", f"cell {i % 3}") for i, (found, _) in enumerate(pairs)]
    return gold, [line for i, (_, found) in enumerate(pairs) for line in predict(i, found)]
