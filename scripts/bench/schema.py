"""How fast a library of 30,000 types is loaded, rendered and offered in prompts, beside what CPython and jinja2 do.

    python scripts/bench/schema.py [data_root=DIR]

With a data root the types of the public Wikidata extracts are in it; what is missing from 30,000 is generated, with
examples, type hints and a taxonomy. Loading is compared in fresh processes, everything else in this one.
"""

from __future__ import annotations

import ast
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import jinja2
from measure import show, side_by_side

from knowcoder.codec.prompt import build_prompt
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role, Task
from knowcoder.schema.kgtk import read_kgtk
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.package import write_package
from knowcoder.schema.render import Style, definitions, library_source
from knowcoder.schema.source import library_of, name_concepts, unite

ENTITIES, RELATIONS, EVENTS = 28_500, 1_000, 500
CLASSES_PER_PROMPT, PROMPTS = 10, 20_000
TEXT = "Ada Lovelace was born in London and wrote to Charles Babbage about the Analytical Engine."
VOCABULARY = (
    "ancient annual basic bridge capital center city club college company court culture data device district early "
    "engine event family field film game group history house island journal lake language local machine medical model "
    "music north office opera park party person place planet plant player port power prize protein public river road "
    "royal rule school science season series ship space sport state station stone street system team theory title "
    "tower town type union unit valley vessel village war water work world writer year"
)
WORDS = VOCABULARY.split()

# Loading is timed in a process of its own, without the start of the interpreter and of what it imports first.
CHILD = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
{before}
start = time.process_time()
{work}
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
LOADS = {
    "load, with indexes of names and ancestors": (
        "from knowcoder.schema.library import SchemaLibrary",
        "library = SchemaLibrary.load(sys.argv[1] + '/library')\n"
        "assert all(concept.name in library for concept in library)\n"
        "ancestors = [library.ancestors(concept.id) for concept in library]",
    ),
    "CPython imports the package from bytecode": (
        "from knowcoder import Entity, Event, Relation",
        "import schema_pys.Entities, schema_pys.Relations, schema_pys.Events",
    ),
    "the same classes on plain base classes": (
        "import types\n"
        "sys.modules['knowcoder'] = module = types.ModuleType('knowcoder')\n"
        "module.Entity, module.Relation, module.Event = (type(n, (), {}) for n in ('Entity', 'Relation', 'Event'))",
        "import schema_pys.Entities, schema_pys.Relations, schema_pys.Events",
    ),
}


def main() -> None:
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    library = make_library(given.get("data_root"))
    print(f"{len(library.entities):,} entity, {len(library.relations):,} relation, {len(library.events):,} event types")
    with tempfile.TemporaryDirectory() as folder:
        compare_loading(library, Path(folder))
        compare_rendering(library)
        compare_prompts(library, Path(folder))
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def compare_loading(library: SchemaLibrary, folder: Path) -> None:
    library.save(folder / "library")
    write_package(library, folder)
    best: dict[str, float] = {}
    memory: dict[str, float] = {}
    for _ in range(4):  # the first round writes the bytecode and is not counted
        for name, (before, work) in LOADS.items():
            code = CHILD.format(before=before, work=work)
            ran = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
            seconds, kilobytes = map(float, ran.stdout.split())
            if name in memory:
                best[name] = min(best.get(name, seconds), seconds)
            memory[name] = kilobytes / 1024
    show(best, len(library), "CPython imports the package from bytecode", "types")
    for name, megabytes in memory.items():
        print(f"{name:<45} peak memory {megabytes:,.0f} MB")


def compare_rendering(library: SchemaLibrary) -> None:
    source = library_source(library)
    tree = ast.parse(source)

    def render() -> str:
        library.memo.clear()
        return library_source(library)

    works: dict[str, Callable[[], object]] = {"ast.unparse": lambda: ast.unparse(tree), "render": render}
    print(f"rendered library: {len(source):,} characters")
    show(side_by_side(works, rounds=10), len(library), "ast.unparse", "types")


def compare_prompts(library: SchemaLibrary, folder: Path) -> None:
    """Prompts of ten classes out of 98, as the published benchmark has, and out of all."""
    chosen = random.Random(1)
    few = definable(library, "entity")[:98]
    published = PublishedPattern(library, few, folder)
    offers = [chosen.sample(few, CLASSES_PER_PROMPT) for _ in range(PROMPTS)]
    some = offers[: PROMPTS // 40]
    best = side_by_side({"read, make an environment, render": lambda: [published.prompt(names) for names in some]})
    seconds = {name: spent / len(some) for name, spent in best.items()}

    def ours(task: Task, offers: Sequence[Sequence[str]], style: Style) -> Callable[[], object]:
        def work() -> None:
            library.memo.clear()
            for names in offers:
                build_prompt(task, names, TEXT, library, style)

        return work

    entities = library.names("entity")
    everything = [chosen.sample(entities, CLASSES_PER_PROMPT) for _ in range(PROMPTS)]
    relations = [chosen.sample(definable(library, "relation")[:64], CLASSES_PER_PROMPT) for _ in range(PROMPTS)]
    events = [chosen.sample(definable(library, "event")[:39], CLASSES_PER_PROMPT) for _ in range(PROMPTS)]
    works = {
        "NER, 10 of 98 types": ours("NER", offers, Style()),
        "NER, 10 of 98 types, released": ours("NER", offers, Style(dialect="released")),
        "NER, 10 of all types": ours("NER", everything, Style()),
        "RE, 10 of 64 types": ours("RE", relations, Style()),
        "ED, 10 of 39 types": ours("ED", events, Style()),
        "EAE, 10 of 39 types": ours("EAE", events, Style()),
    }
    best = side_by_side(works)
    seconds |= {name: spent / PROMPTS for name, spent in best.items()}
    show(seconds, 1, "read, make an environment, render", "prompts")


class PublishedPattern:
    """What the published renderer does for every prompt: read six JSON files, make a jinja2 environment, render."""

    TEMPLATE = (
        "{% for code in codes %}{{ code }}\n\n{% endfor %}"
        '"""\nSome classes are defined above.\n"""\nsentence = "{{ sentence }}"\n'
    )

    def __init__(self, library: SchemaLibrary, entities: Sequence[str], folder: Path) -> None:
        self.folder = folder / "published"
        self.folder.mkdir()
        (self.folder / "NER.jinja").write_text(self.TEMPLATE)
        style = Style(descriptions=False, examples=0)
        kinds = {
            "entities": entities,
            "relations": definable(library, "relation")[:64],
            "triggers": definable(library, "event")[:14],
            "events": definable(library, "event")[:39],
        }
        self.files = [self.folder / f"{kind}.json" for kind in (*kinds, "labels", "sources")]
        for kind, names in kinds.items():
            codes = {name: definitions([name], library, style, roles=kind == "events") for name in names}
            (self.folder / f"{kind}.json").write_text(json.dumps(codes))
        for name in ("labels", "sources"):
            (self.folder / f"{name}.json").write_text(json.dumps({entity.lower(): entity for entity in entities[:40]}))

    def prompt(self, names: Sequence[str]) -> str:
        codes, *_ = [json.loads(file.read_text("utf-8")) for file in self.files]
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(self.folder))  # noqa: S701 - code, not HTML
        template = environment.get_template("NER.jinja")
        return template.render(codes=[codes[name] for name in names], sentence=TEXT).strip()


def definable(library: SchemaLibrary, kind: str) -> list[str]:
    """Generated types of a kind: they have examples, hints and roles."""
    return [concept.name for concept in library if concept.id.startswith(f"generated {kind}")]


def make_library(data_root: str | None) -> SchemaLibrary:
    given: list[Concept] = []
    if data_root:
        for name in ("wikidata_arnold", "wikidata_properties"):
            given += [replace(concept, name="") for concept in read_kgtk(Path(data_root) / name).concepts]
    counts = {kind: sum(isinstance(concept, kind) for concept in given) for kind in (EntityType, RelationType)}
    choice = random.Random(0)

    def words(least: int, most: int) -> str:
        return " ".join(choice.choices(WORDS, k=choice.randint(least, most)))

    def about(kind: str, number: int) -> dict[str, str]:
        return {"id": f"generated {kind} {number}", "name": "", "label": words(2, 4), "description": words(4, 16)}

    entities = [
        EntityType(
            **about("entity", number),
            parent=f"generated entity {choice.randrange(number)}" if number > 20 else None,
            examples=tuple(words(1, 3).title() for _ in range(10)),
        )
        for number in range(ENTITIES - counts[EntityType])
    ]

    def types() -> tuple[str, ...]:
        return tuple(entity.id for entity in choice.sample(entities[:2000], choice.randint(1, 2)))

    relations = [
        RelationType(
            **about("relation", number),
            head=types(),
            tail=types(),
            examples=tuple((words(1, 2).title(), words(1, 2).title()) for _ in range(10)),
        )
        for number in range(max(RELATIONS - counts[RelationType], 64))
    ]
    events = [
        EventType(
            **about("event", number),
            examples=tuple(choice.choices(WORDS, k=10)),
            roles=tuple(Role(name=f"{word}_role", types=types()) for word in choice.sample(WORDS, 5)),
        )
        for number in range(EVENTS)
    ]
    return library_of(name_concepts(unite([*given, *entities, *relations, *events])))


if __name__ == "__main__":
    main()
