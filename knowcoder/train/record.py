"""What a training run leaves behind: run.json, metrics.jsonl and its picture, one log per rank, what `log_to` names."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from knowcoder import artefact, jsonl
from knowcoder.config import TrainConfig, changed
from knowcoder.errors import ConfigError
from knowcoder.packing.pack import IGNORED
from knowcoder.train import launch
from knowcoder.train.page import training_page
from knowcoder.train.rows import PackedRows
from knowcoder.train.throughput import in_a_line

RUN = "run.json"
METRICS = "metrics.jsonl"
PAGE = "training.html"
LOGS = "logs"
#: How a sample shows what is trained.
TRAINED = ("\u27e6", "\u27e7")
_Writer = tuple[Callable[[dict[str, Any]], None], Callable[[], None]]


class Record:
    """The record of one run; only rank 0 writes it, but for the log that every rank has.

    Use it as a context: `with Record(run_dir, config) as record: record.step({"step": 1, "loss": ...})`.
    """

    def __init__(self, run_dir: Path, config: TrainConfig) -> None:
        self._run_dir, self._config = run_dir, config
        self._rank = launch.rank()
        self._handler: logging.Handler | None = None
        self._writers: list[_Writer] = []
        self._bar: Any = None
        self._continued = False
        self._last: dict[str, Any] = {}

    def __enter__(self) -> Record:
        (self._run_dir / LOGS).mkdir(parents=True, exist_ok=True)
        self._handler = logging.FileHandler(self._run_dir / LOGS / f"rank-{self._rank:03d}.log")
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(self._handler)
        logging.getLogger("knowcoder").setLevel(logging.INFO)
        if self._rank == 0:
            self._write_run()
            if not self._config.resume:
                (self._run_dir / METRICS).unlink(missing_ok=True)
            self._writers = [_open_writer(name, self._run_dir, self._config) for name in self._config.log_to]
            every = 0.5 if sys.stderr.isatty() else 30.0
            self._bar = tqdm(total=self._config.steps, desc="train", unit="step", mininterval=every)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # no warning: it is for the log, and is said on the terminal by whoever catches it
            logging.getLogger(__name__).info("the run ended with an error", exc_info=error)
        if self._bar is not None:
            self._bar.close()
        for _, close in self._writers:
            close()
        if self._continued:
            try:
                self._draw()
            except OSError:  # a full disk, most likely: what ended the run is to be said
                if error is None:
                    raise
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            self._handler.close()

    def step(self, metrics: dict[str, Any]) -> None:
        """Write a line of metrics; `step` counts finished steps."""
        if self._rank != 0:
            return
        if not self._continued:
            self._drop_lines_from(metrics["step"])
            self._continued = True
        with open(self._run_dir / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")
        logging.getLogger(__name__).info("%s", metrics)
        for write, _ in self._writers:
            write(metrics)
        self._last |= metrics
        self._bar.set_postfix_str(in_a_line(self._last), refresh=False)
        self._bar.update(metrics["step"] - self._bar.n)

    def say(self, text: str) -> None:
        """Print once, above the progress bar, and log."""
        logging.getLogger(__name__).info("%s", text)
        if self._rank == 0:
            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()

    def _draw(self) -> None:
        facts = dict(word.split("=", 1) for word in changed(self._config))
        page = training_page(self._run_dir / METRICS, self._run_dir.name, facts)
        (self._run_dir / PAGE).write_text(page, encoding="utf-8")

    def _drop_lines_from(self, step: int) -> None:
        """Forget what a cut-off run had measured after its last checkpoint: those steps are done again."""
        path = self._run_dir / METRICS
        if path.is_file():
            whole, newline, _ = path.read_bytes().rpartition(b"\n")  # a kill may have cut the last line off
            path.write_bytes(whole + newline)
            jsonl.write(path, [line for line in jsonl.read(path, dict[str, Any]) if line["step"] < step])

    def _write_run(self) -> None:
        jsonl.write_json(
            self._run_dir / RUN,
            {
                "command": sys.argv,
                "config": artefact.plain(self._config),
                "processes": launch.world_size(),
                "versions": artefact.versions(),
                "git_commit": artefact.git_commit(),
            },
        )


def sample_of(model: Path, rows: PackedRows) -> str:
    """Return the most trained document of the most trained row as `show_sample` shows it.

    Args:
        model: the folder with the tokenizer.
    """
    ids, positions, labels = rows.row(int(rows.trained.argmax()))
    edges = [*(positions == 0).nonzero()[0].tolist(), len(ids)]
    start, end = max(pairwise(edges), key=lambda edge: int((labels[edge[0] : edge[1]] != IGNORED).sum()))
    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError):
        return f"model={model} has no tokenizer: no sample shown"
    return show_sample(tokenizer, ids[start:end].tolist(), labels[start:end].tolist())


def show_sample(tokenizer: PreTrainedTokenizerBase, ids: list[int], labels: list[int]) -> str:
    """Return a row as text, what is trained standing between \u27e6 and \u27e7.

    Args:
        ids: of one document. labels: unshifted, -100 where nothing is trained.
    """
    parts = []
    start = 0
    for end in range(1, len(ids) + 1):
        trained = labels[start] != IGNORED
        if end == len(ids) or (labels[end] != IGNORED) != trained:
            text = tokenizer.decode(ids[start:end], skip_special_tokens=False)
            parts.append(TRAINED[0] + text + TRAINED[1] if trained else text)
            start = end
    count = sum(label != IGNORED for label in labels)
    title = f"one sample, {len(ids)} tokens, the {count} between {TRAINED[0]} and {TRAINED[1]} are trained:"
    return f"{title}\n{''.join(parts)}\n"


def _open_writer(name: str, run_dir: Path, config: TrainConfig) -> _Writer:
    if name == "tensorboard":
        return _tensorboard(run_dir)
    if name == "wandb":
        return _wandb(run_dir, config)
    raise ConfigError(f"log_to={name}: unknown; choose from tensorboard, wandb")


def _tensorboard(run_dir: Path) -> _Writer:
    from torch.utils.tensorboard import SummaryWriter

    board: Any = SummaryWriter(str(run_dir / "tensorboard"))

    def write(metrics: dict[str, Any]) -> None:
        for key, value in metrics.items():
            board.add_scalar(f"train/{key}", value, metrics["step"])

    return write, board.close


def _wandb(run_dir: Path, config: TrainConfig) -> _Writer:
    import wandb

    # Offline unless the user is logged in: a run must not stop to ask for a key.
    mode: Any = os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")
    run: Any = wandb.init(
        project="knowcoder", name=run_dir.name, dir=str(run_dir), mode=mode, config=artefact.plain(config)
    )

    def write(metrics: dict[str, Any]) -> None:
        run.log({f"train/{key}": value for key, value in metrics.items()}, step=metrics["step"])

    return write, run.finish
