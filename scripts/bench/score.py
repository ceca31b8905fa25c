"""How fast answers are parsed and scored, beside CPython's own parser on the same answers.

    python scripts/bench/score.py

The gold answers of the demonstration world, all four tasks, one process. Their F1 must be 1. The time of a score
has a part that does not grow with the answers, the bootstrap intervals, which is shown apart.
"""

from __future__ import annotations

import ast

from measure import show, side_by_side, world

from knowcoder.codec.answer import build_answer
from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.render import Style
from knowcoder.score.match import join
from knowcoder.score.metrics import measure, tally
from knowcoder.score.mistakes import find_mistakes
from knowcoder.score.prediction import Prediction

SENTENCES = 4000


def main() -> None:
    gold, library, labels = world(SENTENCES)
    offers = {task: Offer.of(library, labels["world"].of(task)) for task in TASKS}
    answers = [
        (sentence.id, task, build_answer(task, sentence.annotations, labels["world"].of(task), library, Style()))
        for sentence in gold
        for task in TASKS
    ]
    print(f"{len(answers):,} answers of {sum(len(text) for *_, text in answers) / len(answers):,.0f} characters")

    def parse() -> list[Prediction]:
        return [
            Prediction(id=id, task=task, source="world", annotations=parse_answer(text, offers[task], task).annotations)
            for id, task, text in answers
        ]

    predictions = parse()
    examples = join(gold, predictions, labels)
    whole = measure(gold, examples, find_mistakes(examples))
    assert all(found.columns["strict"].f1 == 1 for found in whole.tasks.values()), "gold against gold is not 1"
    seconds = side_by_side(
        {
            "ast.parse": lambda: [ast.parse(text) for *_, text in answers],
            "parse": parse,
            "parse, match and count": lambda: tally(join(gold, parse(), labels)),
            "parse and score with intervals": lambda: measure(gold, join(gold, parse(), labels), []),
        }
    )
    show(seconds, len(answers), "ast.parse", "answers")


if __name__ == "__main__":
    main()
