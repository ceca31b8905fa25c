"""Samples in the files that other trainers read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from knowcoder import jsonl
from knowcoder.codec.wrapper import Wrapper
from knowcoder.samples.sample import Sample


def export(samples: Path, forms: list[str], wrapper: Wrapper) -> None:
    """Write ``FORM.jsonl`` beside a file of samples, for each form.

    ``prompt-completion`` holds the prompt with the text that the wrapper puts around it; ``messages`` holds the bare
    prompt as the user's and the completion as the assistant's, for a trainer that lays a chat template around them.
    Where there is no prompt (phase 1), there is no user.
    """
    as_form: dict[str, Callable[[Sample], Any]] = {
        "prompt-completion": lambda sample: {
            "prompt": f"{wrapper.prefix}{sample.prompt}{wrapper.suffix}" if sample.prompt else "",
            "completion": sample.completion,
        },
        "messages": lambda sample: {"messages": _messages(sample)},
    }
    for form in forms:
        lines = map(as_form[form], jsonl.read(samples, Sample))
        jsonl.write(samples.with_name(f"{form}.jsonl"), lines)


def _messages(sample: Sample) -> list[dict[str, str]]:
    user = [{"role": "user", "content": sample.prompt}] if sample.prompt else []
    return [*user, {"role": "assistant", "content": sample.completion}]
