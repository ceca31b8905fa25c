"""A corpus -> ``predictions.jsonl``: resumed where it was cut off, in two steps for events, in shards, and joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec.structs import replace
from tqdm import tqdm

from knowcoder import jsonl
from knowcoder.corpus.sentence import Annotations, Event, LabelSet, Sentence
from knowcoder.errors import DataError
from knowcoder.predict.journal import PREDICTIONS, Journal
from knowcoder.predict.predict import Predictor, Request, requests_of
from knowcoder.samples.following import SampleTask
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.score.prediction import Prediction

Triggers = Literal["gold", "predicted"]
# Sentences given to the engine at once: enough for it to sort and share; each is written as soon as it is answered.
_CHUNK = 512


def predict(
    sentences: Sequence[Sentence],
    labels: Mapping[str, LabelSet],
    tasks: Sequence[SampleTask],
    predictor: Predictor,
    output: Path,
    triggers: Triggers = "gold",
) -> dict[str, int]:
    """Predict a corpus into ``output/predictions.jsonl``; lines that are there already are skipped.

    Args:
        labels: source -> its label set.
        tasks: what to predict; a sentence is asked only what it has been annotated with, if that is known. EE asks
            for events with their arguments at once, and its answer counts for both ED and EAE.
        triggers: what argument extraction is told: gold, or what event detection found here, which must be among
            the tasks.

    Returns:
        Counts of all predictions there, see ``Journal``.

    Raises:
        DataError: a sentence's source has no label set.
    """
    joint = "EE" in tasks
    single: list[Task] = [task for task in TASKS if task in tasks]
    two_steps = triggers == "predicted" and "EAE" in single
    with Journal(output) as journal:
        requests: list[Request] = []
        if joint:
            requests += requests_of(sentences, labels, ["EAE"], joint=True)
        if two_steps:
            single.remove("EAE")
            requests += requests_of([_with_detection(s) for s in sentences], labels, ["ED"])
            single.remove("ED")
        requests += requests_of(sentences, labels, single)
        _ask(requests, predictor, journal, joint)
        if two_steps:
            found = {
                line.id: line.annotations.events
                for line in jsonl.read(output / PREDICTIONS, Prediction)
                if line.task == "ED"
            }
            told = [replace(s, events=found[s.id]) for s in sentences if s.id in found]
            _ask(list(requests_of(told, labels, ["EAE"])), predictor, journal, joint=False)
    return journal.counts


def _with_detection(sentence: Sentence) -> Sentence:
    """A sentence that is asked for events, since its arguments are."""
    if "EAE" in sentence.tasks and "ED" not in sentence.tasks:
        return replace(sentence, tasks=(*sentence.tasks, "ED"))
    return sentence


def _ask(requests: Sequence[Request], predictor: Predictor, journal: Journal, joint: bool) -> None:
    todo = [request for request in requests if (request.sentence.id, request.task) not in journal.done]
    # Of one task and source at a time: their prompts share a beginning.
    todo.sort(key=lambda request: (TASKS.index(request.task), request.sentence.source))
    with tqdm(total=len(todo), desc="predict", unit="answer", disable=None) as bar:

        def write(prediction: Prediction) -> None:
            if joint and prediction.task == "EAE" and (prediction.id, "ED") not in journal.done:
                journal.write(_detection_of(prediction))  # first: the other line marks the sentence as done
            journal.write(prediction)
            bar.update()

        for begin in range(0, len(todo), _CHUNK):
            predictor.predict(todo[begin : begin + _CHUNK], write)


def _detection_of(joint: Prediction) -> Prediction:
    """What a joint answer says of triggers; the raw answer stands in the other line."""

    def bare(found: Annotations) -> Annotations:
        return Annotations(events=tuple(Event(event.type, event.trigger) for event in found.events))

    status = dict(zip(joint.annotations.mentions(), joint.alignment, strict=True))
    annotations = bare(joint.annotations)
    return Prediction(
        id=joint.id,
        task="ED",
        source=joint.source,
        group=joint.group,
        annotations=annotations,
        alignment=tuple(status[trigger] for trigger in annotations.mentions()),
        problems=joint.problems,
        not_offered=bare(joint.not_offered),
    )


def shard_of(sentences: Sequence[Sentence], shard: str) -> list[Sentence]:
    """The sentences of shard ``i/n``: every n-th, from the i-th on; all where it is empty.

    Raises:
        DataError: it is not of this form.
    """
    if not shard:
        return list(sentences)
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise DataError(f"shard={shard}: is not of the form i/n with 1 <= i <= n; give shard=1/4 to shard=4/4")
    return list(sentences[int(number) - 1 :: int(count)])


def join_shards(parts: Sequence[str | Path], output: Path) -> dict[str, int]:
    """Put the predictions of all shards into one file.

    Raises:
        DataError: a sentence is predicted twice for a task.
    """
    with Journal(output) as journal:
        for part in parts:
            for prediction in jsonl.read(Path(part) / PREDICTIONS, Prediction):
                if (prediction.id, prediction.task) in journal.done:
                    raise DataError(
                        f"{part}: {prediction.id} ({prediction.task}) is in another shard too; give each once"
                    )
                journal.write(prediction)
    return journal.counts
