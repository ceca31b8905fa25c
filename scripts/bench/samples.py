"""How fast training samples are built, beside the least that any builder must do: write the finished strings as JSON.

    python scripts/bench/samples.py [DATA_ROOT] [--profile] [--processes]

Following samples, one process: of CrossNER ai with all of its 14 classes where DATA_ROOT is given, of the demonstration
world with all four tasks otherwise. Then the same within a token budget, beside the tokenizer alone on the same texts.
--profile shows where the time goes; --processes compares two workers with two builds of half the text each.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from measure import show, side_by_side, world
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from knowcoder import cli, jsonl
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.benchmark import read_benchmark, schema_of_all
from knowcoder.samples.budget import Budget
from knowcoder.samples.following import Recipe, following_drafts
from knowcoder.samples.negatives import NegativeSampling
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.render import Style
from knowcoder.schema.source import library_of

SENTENCES = 4000
TEXT = 72_000  # sentences for two processes: enough that starting them does not count
BENCHMARK = "crossner-ai"


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", nargs="?")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--processes", action="store_true")
    options = parser.parse_args(arguments)
    if options.processes:
        two_processes()
        return
    sentences, recipe = crossner(options.data_root) if options.data_root else demonstration()

    def build() -> Iterator[Sample]:
        for draft in following_drafts(sentences, recipe):
            yield draft.write(draft.negatives, Style())

    finished = list(build())
    characters = sum(len(sample.prompt) + len(sample.completion) for sample in finished)
    print(f"{len(finished):,} samples of {characters / len(finished):,.0f} characters on average")
    if options.profile:
        profile(build)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "samples.jsonl"
        seconds = side_by_side(
            {
                "encode and write finished strings": lambda: jsonl.write(target, finished),
                "build samples": lambda: sum(1 for _ in build()),
                "build, encode and write": lambda: jsonl.write(target, build()),
            }
        )
    show(seconds, len(finished), "encode and write finished strings", "samples")
    tokenizer = trained(finished)
    texts = [text for sample in finished for text in (sample.prompt, sample.completion)]
    wrapper = Wrapper.of("plain", tokenizer, 0, 0)

    def within_budget() -> int:
        return sum(1 for _ in Budget(wrapper, 100_000).fit(following_drafts(sentences, recipe), Style()))

    seconds = side_by_side(
        {
            "tokenizer alone": lambda: tokenizer.encode_batch_fast(texts, add_special_tokens=False),
            "build within a token budget": within_budget,
        },
        rounds=3,
    )
    show(seconds, len(finished), "tokenizer alone", "samples")
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB of memory")


def demonstration() -> tuple[list, Recipe]:
    sentences, library, labels = world(SENTENCES)
    return sentences, Recipe(library, labels, TASKS)


def crossner(data_root: str) -> tuple[list, Recipe]:
    corpus = read_benchmark(BENCHMARK, data_root)
    library = library_of(schema_of_all([BENCHMARK], data_root))
    sentences = [sentence for split in corpus.splits.values() for sentence in split]
    return sentences, Recipe(library, corpus.labels, ("NER",), NegativeSampling(whole=1.0))


def trained(samples: list[Sample]) -> Tokenizer:
    """A tokenizer of the usual kind: byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    texts = (sample.prompt for sample in samples[:500])
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=4096, show_progress=False))
    return tokenizer


def profile(build) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(lambda: sum(1 for _ in build()))
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


def two_processes(rounds: int = 3) -> None:
    """Seconds of two workers on one text beside two independent builds of half of it each, taking turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cli.main(["world", f"output={folder}/world", f"sentences={TEXT}", "test_sentences=8"])
        (folder / "small.yaml").write_text(
            "{model_type: llama, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2}"
        )
        words = [f"schema={folder}/world/schema", f"corpus={folder}/world/corpus"]
        cli.main(["init", f"config={folder}/small.yaml", *words, "vocab_size=800", f"output={folder}/init"])
        words += [f"tokenizer={folder}/init", "phase=following", "max_length=2048"]
        environment = os.environ | {"TOKENIZERS_PARALLELISM": "false"}  # one core for each build, as for each worker
        best = {"two workers": float("inf"), "two builds of half each": float("inf")}
        for number in range(rounds):
            works = {
                "two workers": [[*words, "workers=2", "shard=1000", f"output={folder}/{number}"]],
                "two builds of half each": [
                    [*words, f"caps={TEXT // 2}", f"seed={seed}", f"output={folder}/{number}-{seed}"] for seed in (1, 2)
                ],
            }
            for work, commands in works.items():
                start = time.monotonic()
                builds = [[sys.executable, "-m", "knowcoder.cli", "samples", *command] for command in commands]
                started = [subprocess.Popen(build, env=environment, stderr=subprocess.DEVNULL) for build in builds]
                if any(code != 0 for code in [process.wait() for process in started]):
                    sys.exit(f"{work}: a build failed")
                best[work] = min(best[work], time.monotonic() - start)
    show(best, TEXT, "two builds of half each", "sentences")


if __name__ == "__main__":
    main(sys.argv[1:])
