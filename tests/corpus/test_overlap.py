"""The overlap of held-out text with training text."""

from __future__ import annotations

from knowcoder.corpus.overlap import Overlap, overlap, overlaps
from knowcoder.corpus.sentence import Argument, Event, Mention, Sentence


def sentence(text: str, *names: str) -> Sentence:
    return Sentence(id=text, text=text, entities=tuple(Mention("Human", name, text.index(name)) for name in names))


TRAIN = [sentence("Ada met  Bob.", "Ada", "Bob"), sentence("It rained.")]


def test_a_split_overlaps_with_itself_whole() -> None:
    assert overlap(TRAIN, TRAIN) == Overlap(2, 2, 2, 2)
    assert overlap([], TRAIN) == Overlap(2, 0, 2, 0)


def test_sentences_without_regard_to_space_and_mentions_by_text() -> None:
    trigger, ada = Mention("Meet", "met", 4), Mention("Entity", "Ada", 0)
    event = Event("Meet", trigger, (Argument("who", ada), Argument("whom", ada)))
    test = [sentence("Ada met Bob.", "Bob"), Sentence(id="e", text="Ada met.", events=(event,)), sentence("Cy!", "Cy")]
    found = overlaps({"train": TRAIN, "test": test})
    assert found == {"test": Overlap(3, 1, 3, 2)}
    assert str(found["test"]) == ("1 of 3 sentences (33.3%) and 2 of 3 mentions (66.7%) stand in the training text too")
    assert overlaps({"test": test}) == {}
