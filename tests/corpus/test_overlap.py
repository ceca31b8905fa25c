"""The overlap of held-out text with training text, and what stands twice."""

from __future__ import annotations

from knowcoder.corpus.overlap import Overlap, duplicates, overlap, overlaps
from knowcoder.corpus.sentence import Argument, Event, Mention, Sentence


def sentence(text: str, *names: str, source: str = "") -> Sentence:
    mentions = tuple(Mention("Human", name, text.index(name)) for name in names)
    return Sentence(id=text, text=text, entities=mentions, source=source)


TRAIN = [sentence("Ada met  Bob.", "Ada", "Bob"), sentence("It rained.")]


def test_a_split_overlaps_with_itself_whole() -> None:
    assert overlap(TRAIN, TRAIN) == Overlap(2, 2, 2, 2, {"": 2})
    assert overlap([], TRAIN) == Overlap(2, 0, 2, 0, {})


def test_sentences_without_regard_to_space_and_mentions_by_text() -> None:
    trigger, ada = Mention("Meet", "met", 4), Mention("Entity", "Ada", 0)
    event = Event("Meet", trigger, (Argument("who", ada), Argument("whom", ada)))
    test = [sentence("Ada met Bob.", "Bob"), Sentence(id="e", text="Ada met.", events=(event,)), sentence("Cy!", "Cy")]
    found = overlaps({"train": TRAIN, "test": test})
    assert found == {("test", "train"): Overlap(3, 1, 3, 2, {"": 1})}
    assert str(found["test", "train"]) == "1 of 3 sentences (33.3%) and 2 of 3 mentions (66.7%)"
    assert overlaps({"test": test}) == {}


def test_every_later_split_is_compared_with_every_earlier_one() -> None:
    dev = [sentence("New.", source="a"), sentence("It rained.", source="b")]
    found = overlaps({"test": dev, "train": TRAIN, "dev": dev, "train-5": TRAIN})
    assert list(found) == [("dev", "train"), ("test", "train"), ("test", "dev")]
    assert [overlap.sources for overlap in found.values()] == [{"b": 1}, {"b": 1}, {"a": 1, "b": 1}]


def test_duplicates_stand_in_one_source() -> None:
    again = [*TRAIN, sentence("Ada  met Bob."), sentence("It rained.", source="other")]
    assert duplicates({"train": again, "dev": TRAIN}) == {"train": 1, "dev": 0}
