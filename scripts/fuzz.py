"""Fuzz the parser of answers, guided by coverage: no exception, no hang, nothing run, nothing but offered classes.

    pip install "knowcoder[dev]"
    python scripts/fuzz.py [-runs=1000000] [-seed=1] [CORPUS_DIR]

Options are those of libFuzzer. An input is read for every task; what breaks one is written to ``crash-*``.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["knowcoder.codec"]):
    from knowcoder.codec.parse import Offer, parse_answer

from knowcoder.schema.concepts import TASKS

CLASSES = frozenset({"A", "Bo", "人"})
OFFER = Offer(CLASSES, frozenset({"C"}), {"A": frozenset({"r", "from_"})})
# Pieces of answers: a byte below 128 stands for one of them, the others for text, so that inputs go deep at once.
PIECES = [
    "results", " = ", "=", "[", "]", "(", ")", "{", "}", ",", '"', "'", '"""', "\\", "\n", "\t", "#", "```",
    "f", "r", "b", "A", "Bo", "人", "C", '("x")', "r=", "trigger=", "name=", ":", "+", ".", "//", "for", "if",
    "else", "in", " ", "x", "1", ".append(", "+=", "\\u00", "\\N{", "head=", "tail=", "subject", "object",
    "arguments", "type", "NAN", "entity", "~~~", "- ", "1. ", "return ", "print(", "None", "*", "`", "\ud800",
    "\x00", "\u0301", "\u200d", "؛", "\\ud83d", "json", "python", "\\\"", "\\/",
]  # fmt: skip


reading: list[bool] = []


def text_of(data: bytes) -> str:
    """Half of the inputs are made of pieces, the others are text as it stands."""
    if data[:1] < b"\x80":
        return "".join(PIECES[byte % len(PIECES)] for byte in data[1:])
    return data[1:].decode("utf-8", "surrogateescape")


def read_one(data: bytes) -> None:
    text = text_of(data)
    for task in (*TASKS, "EE"):
        reading.append(True)
        parsed = parse_answer(text, OFFER, task)  # type: ignore[arg-type]
        reading.clear()
        found = parsed.annotations
        for item in (*found.entities, *found.relations, *found.events):
            assert item.type in CLASSES, item
        " ".join(map(str, parsed.problems)).encode("utf-8", "strict")


def audit(event: str, _: tuple[object, ...]) -> None:
    """Nothing that a text says may be compiled, run, opened or imported while it is read."""
    if reading and event in {"compile", "exec", "import", "open", "os.system", "subprocess.Popen", "socket.connect"}:
        raise AssertionError(f"reading an answer led to {event}")


def main() -> None:
    read_one(b'\x80results = [A("x")]')  # the first call may import what is needed
    sys.addaudithook(audit)
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
