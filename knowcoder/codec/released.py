"""The published format, byte for byte: fixed strings with their sources, and how classes and prompts are put together.

Source, unless said otherwise: the published training rows (sft/data/example_data/example_data.jsonl). Indentation
is a tab, text is inserted raw, a parent is named whether it is printed or not, and trigger examples end in ", ".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from knowcoder.corpus.sentence import Mention
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role, Task
from knowcoder.schema.library import KINDS, SchemaLibrary, kind_of
from knowcoder.schema.naming import published_name
from knowcoder.schema.quoting import one_line
from knowcoder.schema.render import BASES, Style

# The chat template "KnowCoder": system, "\nInput:\n", query, "\nOutput:\n" (sft/src/llmtuner/data/template.py).
SYSTEM = (
    "You are a highly skilled assistant at digesting and extracting information from textual content. "
    "Below is an input containing standard type definitions and textual content. "
    "Please complete it with the extracted information in the form of structured code."
)

ENTITY = '''class Entity:
	"""
	The base class for all entities.
	"""
	def __init__(self, name: str):
		self.name = name'''

RELATION = '''class Relation:
	"""
	The base class for all relations.
	"""
	def __init__(self, head_entity: Entity, tail_entity: Entity):
		self.head_entity = head_entity
		self.tail_entity = tail_entity'''

# Event detection and argument extraction print different base classes.
EVENT_DETECTED = '''class Event:
	"""
	The base class for all events.
	"""
	def __init__(self, trigger: str, arg_names, *args):
		self.trigger = trigger
		self.arguments = {}
		for arg_name, arg_values in zip(arg_names, args):
			self.arguments[arg_name] = arg_values'''

EVENT_WITH_ROLES = '''class Event:
	"""
	The base class for all events.
	"""
	def __init__(self, trigger: str):
		self.trigger = trigger'''

BASE_CLASSES: dict[Task, tuple[str, ...]] = {
    "NER": (ENTITY,),
    "RE": (ENTITY, RELATION),
    "ED": (EVENT_DETECTED,),
    "EAE": (ENTITY, EVENT_WITH_ROLES),
}

_TASK = (
    "This is an object-oriented programming task: some {classes} are defined above. "
    "Please instantiate all the corresponding {kind} Objects in the following sentence."
)
_ASKED: dict[Task, dict[str, str]] = {
    "NER": {"classes": "Entity Classes", "kind": "Entity"},
    "RE": {"classes": "Relation Classes and related Entity Classes", "kind": "Relation"},
    "ED": {"classes": "Event Classes", "kind": "Event"},
    "EAE": {"classes": "Event Classes", "kind": "Event"},
}
TASK_SENTENCES: dict[Task, str] = {task: _TASK.format(**asked) for task, asked in _ASKED.items()}
# Refinement (paper, 3.3); the wording of the authors' prompts for the benchmarks.
OF_DATASET = (
    "For DATASET {dataset}, some {classes} are defined above. "
    "Please instantiate all the corresponding {kind} Objects in the following sentence from {dataset}."
)
TRIGGERS = " It is important to note that the triggers of the events are confirmed as follows: {}."
TRIGGER = '"{}" is the trigger of event type "{}"'
BETWEEN_TRIGGERS = "; "  # from a line that is commented out in eval/src/generate_prompt.py

# Instance code of phase 1 (paper, appendix L.1) imports what it instantiates, the base class from its module.
IMPORT_ENTITY = "from Entities import Entity"


def build_prompt(
    task: Task,
    class_names: Sequence[str],
    text: str,
    library: SchemaLibrary,
    style: Style,
    events: Sequence[Mention],
    dataset: str,
) -> str:
    """The published prompt; see ``prompt.build_prompt``."""
    blocks = [*BASE_CLASSES[task], *_classes(class_names, library, style, detect=task == "ED")]
    task_sentence = OF_DATASET.format(dataset=one_line(dataset), **_ASKED[task]) if dataset else TASK_SENTENCES[task]
    if events:
        told = BETWEEN_TRIGGERS.join(TRIGGER.format(event.text, event.type) for event in events)
        task_sentence += TRIGGERS.format(told)
    return "\n\n".join(blocks) + f'\n\n"""\n{task_sentence}\n"""\nsentence = "{text}"\n'


def definitions(names: Sequence[str], library: SchemaLibrary, style: Style) -> str:
    """Base classes and classes, without a task; see ``prompt.definitions``."""
    kinds = {kind_of(library.by_name(name)) for name in names}
    bases = [ENTITY]
    bases += [RELATION] if "relation" in kinds else []
    bases += [EVENT_WITH_ROLES] if "event" in kinds else []
    ordered = [name for kind in KINDS for name in dict.fromkeys(names) if kind_of(library.by_name(name)) == kind]
    return "\n\n".join([*bases, *_classes(ordered, library, style, detect=False)])


def _classes(names: Iterable[str], library: SchemaLibrary, style: Style, detect: bool) -> list[str]:
    codes: dict[str, str] = library.memo.setdefault(("released", style, detect), {})
    for name in names:
        if name not in codes:
            codes[name] = _class_code(library.by_name(name), library, style, detect)
    return [codes[name] for name in dict.fromkeys(names)]


def _class_code(concept: Concept, library: SchemaLibrary, style: Style, detect: bool) -> str:
    parent = BASES[kind_of(concept)] if concept.parent is None else library.by_id(concept.parent).name
    with_roles = isinstance(concept, EventType) and not detect
    lines = [f"class {concept.name}({parent}):", *_docstring(concept, style, examples=not with_roles)]
    if isinstance(concept, EntityType):
        lines.append("\tpass")
    elif isinstance(concept, RelationType):
        head, tail = (_union(types, library, style) for types in (concept.head, concept.tail))
        lines.append(f"\tdef __init__(self, head_entity: {head}, tail_entity: {tail}):")
        lines.append("\t\tsuper().__init__(head_entity = head_entity, tail_entity = tail_entity)")
    elif detect:
        names = ", ".join(f'"{published_name(role.name)}"' for role in concept.roles)
        lines.append("\tdef __init__(self, trigger: str, *args):")
        lines.append(f"\t\targ_names = [{names}]")
        lines.append("\t\tsuper().__init__(trigger = trigger, arg_names = arg_names, *args)")
    else:
        lines += _constructor(concept, library, style)
    return "\n".join(lines)


def _constructor(event: EventType, library: SchemaLibrary, style: Style) -> list[str]:
    """The constructor of an event with roles; examples of triggers stand behind the trigger as a comment."""

    def parameter(role: Role) -> str:
        return f"\t\t{published_name(role.name)}: List[ {_union(role.types, library, style)} ]"

    examples = event.examples[: style.examples]
    trigger = "\t\ttrigger: str" + ("," if event.roles else "")
    if examples:
        trigger += " # Examples: " + "".join(f"{example}, " for example in examples)
    roles = [parameter(role) + "," for role in event.roles[:-1]] + [parameter(role) for role in event.roles[-1:]]
    fields = [published_name(role.name) for role in event.roles]
    return [
        "\tdef __init__(",
        "\t\tself,",
        trigger,
        *roles,
        "\t):",
        "\t\tsuper().__init__(trigger = trigger)",
        *(f"\t\tself.{field} = {field}" for field in fields),
    ]


def _docstring(concept: Concept, style: Style, examples: bool) -> list[str]:
    lines = [f"\tDescription: {one_line(concept.description)}"] if style.descriptions else []
    if examples and concept.examples and style.examples:
        if isinstance(concept, RelationType):
            listed = ", ".join(f"({head}, {tail})" for head, tail in concept.examples[: style.examples])
        elif isinstance(concept, EventType):
            listed = "".join(f"{example}, " for example in concept.examples[: style.examples])
        else:
            listed = ", ".join(concept.examples[: style.examples])
        lines.append(f"\tExamples: {listed}")
    return ['\t"""', *lines, '\t"""'] if lines else []


def _union(types: Iterable[str], library: SchemaLibrary, style: Style) -> str:
    names = [library.by_id(id).name for id in types] if style.hints else []
    return " | ".join(names) or BASES["entity"]
