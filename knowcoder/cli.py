"""The `knowcoder` command: one verb per arrow of the data's way, `knowcoder VERB key=value ...`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knowcoder.errors import KnowcoderError
from knowcoder.quiet import quiet

if TYPE_CHECKING:
    from knowcoder.config import Key


@dataclass(frozen=True)
class Verb:
    """What ``--help`` says of a verb; the work itself is the function of the same name in `knowcoder.stages`."""

    summary: str
    writes: str
    example: str


VERBS: dict[str, Verb] = {
    "world": Verb(
        "make the demonstration world: a schema and annotated sentences",
        "OUTPUT/schema, OUTPUT/corpus",
        "knowcoder world output=outputs/world sentences=2000",
    ),
    "schema": Verb(
        "read a schema from Wikidata, Python classes or JSON",
        "a schema library",
        "knowcoder schema source=python input=my_classes.py output=outputs/schema",
    ),
    "corpus": Verb(
        "read an annotated corpus",
        "annotated sentences",
        "knowcoder corpus benchmark=[crossner-ai] input=data/crossner output=outputs/ai",
    ),
    "enrich": Verb(
        "add examples, type hints and descriptions to a schema",
        "a richer schema library",
        "knowcoder enrich schema=outputs/schema corpus=outputs/corpus output=outputs/rich",
    ),
    "init": Verb(
        "make a model with random weights and a tokenizer trained on your text",
        "a Hugging Face model",
        "knowcoder init config=tiny-llama schema=S corpus=[outputs/world/corpus] output=outputs/init",
    ),
    "samples": Verb(
        "write prompts and completions for a training phase",
        "samples",
        "knowcoder samples phase=following schema=S corpus=C tokenizer=M max_length=2048 output=outputs/samples",
    ),
    "pack": Verb(
        "pack samples into full rows, isolated from each other",
        "a packed dataset",
        "knowcoder pack samples=[outputs/samples] tokenizer=M max_length=2048 output=outputs/packed",
    ),
    "convert": Verb(
        "convert a Hugging Face model to the pipeline format, or back",
        "a pipeline checkpoint, or a Hugging Face model",
        "knowcoder convert to=hf checkpoint=outputs/pretrain output=outputs/model",
    ),
    "plan": Verb(
        "say what a training run would need, before it starts",
        "nothing; prints",
        "knowcoder plan of=pretrain model=M data=D parallel.pp=4",
    ),
    "pretrain": Verb(
        "phase 1, schema understanding: train all weights under the pipeline",
        "pipeline checkpoints",
        "knowcoder pretrain model=M data=outputs/packed parallel.pp=2 output=outputs/pretrain",
    ),
    "sft": Verb(
        "phase 2, schema following: instruction tuning, LoRA or full",
        "an adapter, or a Hugging Face model",
        "knowcoder sft model=M data=outputs/packed tuning=lora output=outputs/adapter",
    ),
    "merge": Verb(
        "merge an adapter into its base model",
        "a Hugging Face model",
        "knowcoder merge model=M adapter=outputs/adapter output=outputs/merged",
    ),
    "predict": Verb(
        "extract from a corpus",
        "predictions",
        "knowcoder predict model=M schema=S corpus=C output=outputs/predictions",
    ),
    "score": Verb(
        "score predictions against gold",
        "metrics.json, errors.jsonl, report.html",
        "knowcoder score predictions=[outputs/predictions] gold=C schema=S output=outputs/score",
    ),
    "extract": Verb(
        "extract from one text",
        "nothing; prints JSON lines",
        'knowcoder extract model=M schema=S text="Ada Lovelace was born in London."',
    ),
    "run": Verb(
        "run a recipe: all of it; stages that are up to date are skipped",
        "a folder with one artefact per stage",
        "knowcoder run recipe=demo size=smoke",
    ),
    "env": Verb("print versions and devices, for bug reports", "nothing; prints", "knowcoder env"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for what the user can mend, 75 for a run that was stopped and saved."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"knowcoder {version('knowcoder')}")
        return 0
    verb, *rest = words
    if verb not in VERBS:
        return _fail("", f"there is no verb {verb!r}; knowcoder --help lists them")
    if any(word in ("-h", "--help") for word in rest):
        print(_verb_help(verb))
        return 0
    quiet()
    try:
        _run(verb, rest)
    except KnowcoderError as error:
        _fail(verb, str(error))
        return error.code
    except ModuleNotFoundError as error:
        missing = (error.name or "knowcoder").partition(".")[0]
        if missing == "knowcoder":  # a mistake of ours
            raise
        return _fail(verb, f"needs the package {missing}, which is not here; pip install 'knowcoder[pretrain,sft]'")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _run(verb: str, words: list[str]) -> None:
    from knowcoder import config, recipe, stages

    if verb == "run":
        recipe.run(config.load(verb, words))
    elif verb == "plan":  # takes the keys of the verb that it plans, and writes nothing
        names = {key.name for key in config.keys_of(config.PlanConfig)}
        own = config.load("plan", [word for word in words if word.partition("=")[0] in names])
        rest = [word for word in words if word.partition("=")[0] not in names]
        stages.plan(own, config.load(own.of, ["output=", "data=", *rest]))
    else:
        getattr(stages, verb)(config.load(verb, words))


def _fail(verb: str, message: str) -> int:
    said = " ".join(line.strip() for line in message.splitlines())
    print(f"{' '.join(['knowcoder', verb]).strip()}: error: {said}", file=sys.stderr)
    return 2


def _overview() -> str:
    width = max(map(len, VERBS))
    lines = [
        "knowcoder: universal information extraction with schemas written as Python classes.",
        "",
        "usage: knowcoder VERB key=value ...        knowcoder VERB --help",
        "",
        "verbs, in the order in which data flows:",
        *(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()),
        "",
        "To see all of it work: knowcoder run recipe=demo",
    ]
    return "\n".join(lines)


def _verb_help(name: str) -> str:
    from knowcoder.config import VERB_KEYS, keys_of

    verb = VERBS[name]
    lines = [
        f"knowcoder {name}: {verb.summary}",
        "",
        f"writes:  {verb.writes}",
        f"example: {verb.example}",
        "",
    ]
    keys = keys_of(VERB_KEYS[name])
    if keys:
        lines.append("keys:")
    for item in keys:
        lines += _key_help(item)
    if name == "plan":
        lines += ["", "and the keys of that verb: knowcoder pretrain --help, knowcoder sft --help"]
    return "\n".join(lines)


def _key_help(item: Key) -> list[str]:
    text = item.help + (f" [{item.unit}]" if item.unit else "")
    text += f" ({' | '.join(choice or 'empty' for choice in item.choices)})" if item.choices else ""
    width = max(shutil.get_terminal_size((110, 24)).columns - 8, 40)
    head = f"  {item.name}={_default(item.default)}   <{item.kind}>"
    return [head, *textwrap.wrap(text, width, initial_indent=" " * 8, subsequent_indent=" " * 8)]


def _default(value: Any) -> str:
    from knowcoder.config import MISSING

    if value == MISSING:
        return "REQUIRED"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
