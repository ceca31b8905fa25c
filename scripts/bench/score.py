"""How fast answers are parsed and scored, beside CPython's own parser on the same answers.

    python scripts/bench/score.py

The gold answers of the demonstration world, all four tasks, one process. Their F1 must be 1. The time of a score
has a part that does not grow with the answers, the bootstrap intervals, which is shown apart.

Then one answer of 1 MB beside ten of 100 kB: whole, cut off, and hostile. A parser that is linear needs the same time.
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
HOSTILE = {
    "unclosed strings": 'results = [City("',
    "unclosed calls": "City(",
    "open lists": "[",
    "open dicts": '{"a": ',
    "raw quotes": 'City("a "b" ',
    "apostrophes": "I don't 'x y\n",
    "lines that call": "City('a\n",
    "backslashes": "\\",
    "blanks and equals signs": "results   :   ",
    "empty results": "results = []\n",
    "added results": 'results += [City("a")]\n',
    "fences": "```\nCity('a')\n",
    "prose": "It is City, or not: who knows?\n",
    "a variable used again": "a, ",
}


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
    print()
    show_growth()


def show_growth(large: int = 1_000_000, small: int = 100_000) -> None:
    """Time of one large answer as a ratio to that of small ones of the same length together."""
    whole = "results = [" + 'City("London"), Poet("Ada"), ' * (large // 29)
    texts = {"cut": whole} | {name: piece * (large // len(piece)) for name, piece in HOSTILE.items()}
    texts["a variable used again"] = 'a = City(["x", "y", "z"])\nresults = [' + texts["a variable used again"]
    offer = Offer(frozenset({"City", "Poet"}))
    for name, text in {"whole": whole, **texts}.items():
        end = "]" if name == "whole" else ""
        one, part = text[: large - 1] + end, text[: small - 1] + end
        seconds = side_by_side(
            {
                "ten": lambda part=part: [parse_answer(part, offer, "NER") for _ in range(large // small)],
                "one": lambda one=one: parse_answer(one, offer, "NER"),
            },
            rounds=3,
        )
        print(f"{name:<28} {seconds['one']:6.2f} s   {seconds['one'] / seconds['ten']:5.2f} of ten of 100 kB")


if __name__ == "__main__":
    main()
