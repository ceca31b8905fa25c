"""How fast column files are read, beside the least that any reader must do: split every line at its separator.

    python scripts/bench/corpus.py [DATA_ROOT]

The sentences of the demonstration world as a file of tokens and tags; with DATA_ROOT also CrossNER's AI test file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import show, side_by_side, world

from knowcoder.config.corpus import ColumnKeys, LayoutConfig
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.read import read_file
from knowcoder.corpus.reading import Reading
from knowcoder.corpus.sentence import Sentence

SENTENCES = 5_000
COPIES = (10, 40)  # of that text, for the memory that grows with it

# Peak memory of a process of its own.
CHILD = """
import contextlib, io, sys
from knowcoder import config, stages
from knowcoder.corpus.files import classes_from, read_files, split_files
settings = config.load("corpus", sys.argv[2:])
with contextlib.redirect_stdout(io.StringIO()):
    {work}
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
MEMORY = {
    "all sentences in a list": (
        "held = [*read_files(split_files(sys.argv[1]), settings, 'x', classes_from([], None)).splits['train']]"
    ),
    "knowcoder corpus": "stages.corpus(settings)",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sentences = world(SENTENCES)[0]
        for scheme in ("BIO", "BIOES"):
            made = Path(folder) / f"world-{scheme}.txt"
            made.write_text("\n".join(columns(sentence, scheme) for sentence in sentences))
            compare(made, scheme)
        memory(Path(folder) / "world-BIO.txt")
    for root in sys.argv[1:]:
        compare(Path(root) / "crossner" / "ai" / "test.txt")


def memory(path: Path) -> None:
    """What a million sentences more take, from the difference of two sizes."""
    peaks: dict[str, list[float]] = {name: [] for name in MEMORY}
    for copies in COPIES:
        many = path.with_name(f"{copies}.txt")
        many.write_text("\n".join([path.read_text()] * copies))
        for name, work in MEMORY.items():
            words = [str(many), f"input={many}", f"output={path.parent / 'read'}", "overwrite=true"]
            command = [sys.executable, "-c", CHILD.format(work=work), *words]
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[name].append(int(ran.stdout) / 1024)
    for name, (small, large) in peaks.items():
        count = COPIES[1] * SENTENCES
        million = (large - small) / (COPIES[1] - COPIES[0]) / SENTENCES * 1e6
        print(f"{name:<40} {large:8,.0f} MB with {count:,} sentences, {million:6,.0f} MB a million more")


def columns(sentence: Sentence, scheme: str) -> str:
    """Words at spaces; a word is tagged that begins or lies within an entity."""
    lines, position = [], 0
    for word in sentence.text.split(" "):
        inside = (mention for mention in sentence.entities if (mention.start or 0) <= position < (mention.end or 0))
        mention = next(inside, None)
        begins, ends = (mention and position == mention.start), (mention and position + len(word) >= (mention.end or 0))
        prefix = ("S" if begins else "E") if ends and scheme == "BIOES" else "B" if begins else "I"
        lines.append(f"{word}\t{prefix}-{mention.type}\n" if mention else f"{word}\tO\n")
        position += len(word) + 1
    return "".join(lines)


def compare(path: Path, scheme: str = "BIO") -> None:
    layout = LayoutConfig(format="columns", columns=ColumnKeys(tags=[1], scheme=scheme))

    def split() -> int:
        count = 0
        with open(path, encoding="utf-8") as file:
            for line in file:
                count += len(line.rstrip("\n").split("\t"))
        return count

    def read() -> Sequence[Sentence]:
        about = {"source": "bench", "split": "train", "language": "en"}
        return list(read_file(path, layout, Classes(open=True), **about, reading=Reading()))

    sentences = read()
    entities = sum(len(sentence.entities) for sentence in sentences)
    tokens = sum(sentence.text.count(" ") + 1 for sentence in sentences)
    print(f"{path.name}: {len(sentences):,} sentences, {tokens:,} tokens, {entities:,} entities")
    seconds = side_by_side({"split every line at its separator": split, "read to sentences with entities": read})
    show(seconds, tokens, "split every line at its separator", "tokens")


if __name__ == "__main__":
    main()
