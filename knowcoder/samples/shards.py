"""Shards: what the units of a build gave, each in a file that is there only when it is whole."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from knowcoder import jsonl
from knowcoder.samples.build import Builder
from knowcoder.samples.plan import Unit

SAMPLES = "samples.jsonl"


@dataclass(slots=True)
class Account:
    """What became of the samples of a unit, or of several."""

    kept: int = 0
    shortened: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of a build, in a folder that is gone when they are joined."""

    output: Path
    units: Sequence[Unit]

    @property
    def folder(self) -> Path:
        return self.output / "shards"

    def missing(self) -> list[int]:
        """The units that no shard holds yet."""
        return [number for number in range(len(self.units)) if not self._account(number).exists()]

    def make(self, number: int, builder: Builder) -> int:
        """Build one unit, unless it is there already; its account is written last and says that it is whole.

        Returns:
            Its number of samples.
        """
        if self._account(number).exists():
            return self.account(number).kept
        budget = builder.budget()
        self.folder.mkdir(exist_ok=True)
        try:
            kept = jsonl.write(self._shard(number), builder.build(self.units[number], budget))
        except BaseException:
            self._shard(number).with_name(self._shard(number).name + ".partial").unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
            raise
        jsonl.write_json(self._account(number), Account(kept, budget.shortened, dict(budget.rejected)))
        return kept

    def join(self) -> Account:
        """Put the shards together in the order of the plan, and remove them."""
        total, rejected = Account(), Counter[str]()
        partial = self.output / (SAMPLES + ".partial")
        with open(partial, "wb") as joined:
            for number in range(len(self.units)):
                with open(self._shard(number), "rb") as shard:
                    shutil.copyfileobj(shard, joined, 1 << 20)
                account = self.account(number)
                total.kept += account.kept
                total.shortened += account.shortened
                rejected.update(account.rejected)
        os.replace(partial, self.output / SAMPLES)
        total.rejected = dict(sorted(rejected.items()))
        return total

    def remove(self) -> None:
        """Remove what is left of the shards."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def account(self, number: int) -> Account:
        """What became of a unit's samples."""
        account: Account = jsonl.read_json(self._account(number), Account)
        return account

    def _shard(self, number: int) -> Path:
        return self.folder / f"{number:05d}.jsonl"

    def _account(self, number: int) -> Path:
        return self.folder / f"{number:05d}.json"
