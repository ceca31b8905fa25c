"""How fast samples are packed, beside the tokenizer's own `encode_batch` on the same texts; and the memory it takes.

    python scripts/bench/pack.py [--sentences 1000] [--copies 1] [--workers 2] [--fit]

Samples of the demonstration world, all four tasks, and a byte-level BPE trained on them. Rates are of one process with
one thread, by processor time; packing reads, tokenizes, fits and writes. --copies packs the same samples many times
over, to see what memory does (RssAnon). --workers compares so many processes with one, by the clock. --fit
shows how many rows samples take whose lengths are drawn around published means, beside what they must take at least.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from measure import show, side_by_side, world
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from knowcoder import jsonl
from knowcoder.codec.wrapper import Wrapper
from knowcoder.packing.fit import best_fit, exact_fit, least_rows
from knowcoder.packing.pack import Packed, pack
from knowcoder.samples.following import Recipe, following_drafts
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.render import Style

MAX_LENGTH = 2048
BATCH = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    if options.fit:
        fits()
        return
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    samples = demonstration(options.sentences)
    texts = [text for sample in samples for text in (sample.prompt, sample.completion)]
    wrapper = trained_on(texts[:20_000])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples.jsonl"
        jsonl.write(file, samples)
        if options.workers:
            in_processes([file] * options.copies, wrapper, options.workers, Path(folder))
        elif options.copies > 1:
            memory(file, wrapper, options.copies, Path(folder))
        else:
            rates(file, wrapper, texts, len(samples), Path(folder))


def rates(file: Path, wrapper: Wrapper, texts: list[str], count: int, folder: Path) -> None:
    made: list[Packed] = []

    def encode(method: str) -> None:
        for start in range(0, len(texts), BATCH):
            getattr(wrapper.tokenizer, method)(texts[start : start + BATCH])

    def packed() -> None:
        made.append(packed_in(file, wrapper, 1, folder))

    works = {
        "the tokenizer's encode_batch": lambda: encode("encode_batch"),
        "the tokenizer's encode_batch_fast": lambda: encode("encode_batch_fast"),
        "pack": packed,
    }
    seconds = side_by_side(works, rounds=9)
    show(seconds, count, next(iter(works)), "samples")
    last = made[-1]
    print(f"{last.samples:,} samples, {last.tokens:,} tokens, {last.rows:,} rows (at least {last.least_rows:,})")


def memory(file: Path, wrapper: Wrapper, copies: int, folder: Path) -> None:
    """Pack once and many times over, each in a process of its own."""
    for times in (1, copies):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            made, peak = pool.submit(peak_of, [file] * times, wrapper, folder).result()
        print(f"{made.samples:>10,} samples, {made.tokens:>12,} tokens: at most {peak / 1e6:,.0f} MB above the imports")


def peak_of(files: list[Path], wrapper: Wrapper, folder: Path) -> tuple[Packed, int]:
    """Anonymous memory, sampled: pages that are mapped from a file do not count, since they can leave it."""
    samples, done = [anonymous()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            samples.append(anonymous())

    thread = threading.Thread(target=watch)
    thread.start()
    with tempfile.TemporaryDirectory(dir=folder) as output:
        made = pack(files, wrapper, MAX_LENGTH, Path(output))
    done.set()
    thread.join()
    return made, max(samples) - samples[0]


def anonymous() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) * 1024


def in_processes(files: list[Path], wrapper: Wrapper, workers: int, folder: Path) -> None:
    for count in (1, workers):
        start = time.monotonic()
        with tempfile.TemporaryDirectory(dir=folder) as output:
            made = pack(files, wrapper, MAX_LENGTH, Path(output), count)
        print(f"{count} processes: {made.samples / (time.monotonic() - start):,.0f} samples/s, {made.content}")


def fits() -> None:
    """Rows over the least number of rows, by each of the two ways."""
    means = {"instance codes": 115, "ED": 600, "EAE": 560, "NER": 1352, "RE": 1890}
    random = np.random.default_rng(0)
    for capacity in (2048, 4096):
        for spread in (0.3, 0.6):
            drawn = {
                name: np.clip(random.lognormal(np.log(mean) - spread**2 / 2, spread, 20_000), 8, capacity).astype(int)
                for name, mean in means.items()
            }
            drawn["NER, RE, ED, EAE"] = np.concatenate([drawn[name][:5000] for name in ("NER", "RE", "ED", "EAE")])
            for name, lengths in drawn.items():
                counts, least = np.bincount(lengths, minlength=capacity + 1).tolist(), least_rows(lengths, capacity)
                best, exact = (method(counts, capacity).count / least for method in (best_fit, exact_fit))
                fill = lengths.sum() / (min(best, exact) * least * capacity)
                print(f"{capacity} {spread} {name:<18} best {best:.4f}  exact {exact:.4f}  {fill:.1%} full")


def packed_in(file: Path, wrapper: Wrapper, workers: int, folder: Path) -> Packed:
    with tempfile.TemporaryDirectory(dir=folder) as output:
        return pack([file], wrapper, MAX_LENGTH, Path(output), workers)


def demonstration(sentences: int) -> list[Sample]:
    drawn, library, labels = world(sentences)
    recipe = Recipe(library, labels, TASKS)
    return [draft.write(draft.negatives, Style()) for draft in following_drafts(drawn, recipe)]


def trained_on(texts: list[str]) -> Wrapper:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=8000, special_tokens=["<s>", "</s>"], initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return Wrapper.of("plain", tokenizer, 0, 1)


if __name__ == "__main__":
    main()
