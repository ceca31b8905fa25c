"""How fast a Wikidata dump becomes a schema, beside the least that any reader of it must do.

    python scripts/bench/schema_dump.py DATA_ROOT [--size MB] [--rounds N]

The dump is made of the real entities of ``wikidata_dump_fixtures`` under new ids, in a temporary folder. The floor is
decompression and one ``msgspec.json.decode`` of every line, by the same number of processes. Each measurement is a
process of its own; the best of the rounds counts, in which they take turns. Then: peak memory as instances and classes
become more, and the time that the whole dump would take, computed from the figures above it.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from knowcoder.schema import wikidata
from knowcoder.schema.dump import Block, blocks, each_block

FORMS = ("json", "json.gz", "json.bz2")
# Both are many blocks, so that what is in hand while reading is the same.
FEW, MANY = 500_000, 1_500_000
FULL_BYTES, FULL_ENTITIES, FULL_CORES = 1.5e12, 1e8, 32


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--size", type=int, default=2000, help="megabytes of the dump")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs=3, metavar=("WORK", "FILE", "PROCESSES"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.only:
        print(json.dumps(measured(*options.only)))
        return
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "dump.json"
        entities = make_dump(options.data_root, dump, options.size * 1_000_000)
        print(f"{entities:,} entities, {dump.stat().st_size / 1e6:,.0f} MB")
        rates = {}
        for form in FORMS:
            packed = pack(dump, form)
            for processes in (1, 2):
                rates[form, processes] = compare(packed, processes, dump.stat().st_size, options.rounds)
            if packed != dump:
                packed.unlink()
        per_entity = growth(Path(folder))
    full(rates, per_entity)


def make_dump(data_root: Path, dump: Path, size: int) -> int:
    """Copy the fixture's entities, each under an id of its own, until the dump has its size."""
    lines = (data_root / "wikidata_dump_fixtures/entities.dump.json").read_bytes().splitlines()
    entities = [line.rstrip(b",") for line in lines if len(line) > 1]
    count = 0
    with open(dump, "wb") as file:
        file.write(b"[\n")
        while file.tell() < size:
            for line in entities:
                count += 1
                file.write(re.sub(rb'"id":"Q\d+"', b'"id":"Q%d"' % (10**9 + count), line, count=1) + b",\n")
        file.write(b"]\n")
    return count


def pack(dump: Path, form: str) -> Path:
    if form == "json":
        return dump
    packed = dump.with_suffix(f".{form}")
    opener = gzip.open if form.endswith("gz") else bz2.open
    with open(dump, "rb") as text, opener(packed, "wb", compresslevel=6) as file:
        shutil.copyfileobj(text, file, 16 << 20)
    return packed


def compare(path: Path, processes: int, size: int, rounds: int) -> dict[str, float]:
    """Print the rates of the floor and of ours, and the ratios by the clock and by processor time; return ours."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for work in ("floor", "ours"):
            run = alone(work, path, processes)
            before = best.get(work, run)
            best[work] = {name: min(value, before[name]) for name, value in run.items()}
    for work, run in best.items():
        clock, processor = (best["floor"][name] / run[name] for name in ("seconds", "cpu"))
        print(
            f"{path.suffix[1:]:<5} {processes} processes  {work:<6}{size / run['seconds'] / 1e6:>8,.0f} MB/s  "
            f"ratio {clock:5.2f} by the clock, {processor:5.2f} by processor time ({run['cpu']:.1f} s)  "
            f"peak {run['peak']:,.0f} MB a process",
            flush=True,
        )
    return best["ours"] | {"size": size}


def alone(work: str, path: Path, processes: int) -> dict[str, float]:
    """One measurement in a fresh process."""
    command = [sys.executable, __file__, ".", "--only", work, str(path), str(processes)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(run.stdout)
    return result


def measured(work: str, path: str, processes: str) -> dict[str, float]:
    works: dict[str, Callable[[str, int], dict[str, float]]] = {"floor": floor, "ours": ours}
    start, before = time.perf_counter(), time.process_time()
    times = works[work](path, int(processes))
    times["seconds"] = time.perf_counter() - start
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    times["cpu"] = sum(usage.ru_utime + usage.ru_stime for usage in usages) - before
    times["peak"] = max(usage.ru_maxrss for usage in usages) / 1024
    return times


def floor(path: str, processes: int) -> dict[str, float]:
    for _ in each_block(decode_all, blocks(path, threads=processes), processes):
        pass
    return {}


def decode_all(block: Block) -> int:
    count = 0
    for line in block.read().split(b"\n"):
        if len(line) > 1:
            msgspec.json.decode(line.rstrip(b","))
            count += 1
    return count


def ours(path: str, processes: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        shards = Path(folder) / "shards"
        for _ in wikidata.digest(path, shards, workers=processes):
            pass
        start = time.process_time()
        wikidata.merge(path, Path(folder), shards)
        size = sum(shard.stat().st_size for shard in shards.iterdir())
        return {"merge": time.process_time() - start, "shards": size}


def growth(folder: Path) -> tuple[float, float]:
    """Print how peak memory grows; return the seconds that reading and merging an entity of few bytes take."""
    runs = {}
    for kind, entity in (("instances", small_instance), ("classes", small_class)):
        for count in (FEW, MANY):
            path = folder / f"{kind}-{count}.json"
            # A measured process inherits the peak of the one that starts it, which must therefore stay small.
            with open(path, "wb") as file:
                file.write(b"[\n")
                file.writelines(entity(number) + b",\n" for number in range(1, count))
                file.write(b"]\n")
            runs[kind, count] = alone("ours", path, 1)
        more = (runs[kind, MANY]["peak"] - runs[kind, FEW]["peak"]) / (MANY - FEW) * 1e6
        print(f"{more:,.0f} MB of memory for a million {kind}")
    more = (runs["instances", MANY]["cpu"] - runs["instances", FEW]["cpu"]) / (MANY - FEW)
    merging = (runs["instances", MANY]["merge"] - runs["instances", FEW]["merge"]) / (MANY - FEW)
    print(f"{more * 1e6:.1f} us for an entity of few bytes, {merging * 1e6:.1f} of them in merging, by one process")
    return more - merging, merging


def full(rates: dict[tuple[str, int], dict[str, float]], per_entity: tuple[float, float]) -> None:
    """Print the time for the whole dump: its bytes and entities shared by all cores, merging by one."""
    reading, merging = per_entity
    for form in FORMS[1:]:
        run = rates[form, 2]
        hours = (run["cpu"] / run["size"] * FULL_BYTES + reading * FULL_ENTITIES) / FULL_CORES / 3600
        print(
            f"{FULL_BYTES / 1e12} TB and {FULL_ENTITIES / 1e6:.0f} million entities as {form} on {FULL_CORES} cores: "
            f"{hours:.2f} h of reading, {merging * FULL_ENTITIES / 3600:.2f} h of merging"
        )


def small_instance(number: int) -> bytes:
    """An instance of one of the first thousand entities, which are classes."""
    return _small(number, "P31", number % 1000 + 1) if number > 1000 else small_class(number)


def small_class(number: int) -> bytes:
    return _small(number, "P279", number // 7 + 1)


def _small(number: int, property: str, value: int) -> bytes:
    said = {"mainsnak": {"datavalue": {"value": {"id": f"Q{value}"}}}, "rank": "normal"}
    words = {"en": {"language": "en", "value": f"a thing of number {number}"}}
    entity = {"id": f"Q{number}", "type": "item", "labels": words, "descriptions": words, "claims": {property: [said]}}
    return json.dumps(entity).encode()


if __name__ == "__main__":
    main(sys.argv[1:])
