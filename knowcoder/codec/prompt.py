"""From a schema and a sentence to the bare prompt that a model completes; definition and instance code for phase 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from knowcoder.codec import released
from knowcoder.codec.answer import argument_names, build_answer
from knowcoder.corpus.sentence import Annotations, Mention
from knowcoder.schema import render
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.quoting import escape, one_line, quote
from knowcoder.schema.render import Style

TASK_SENTENCES: dict[Task, str] = {
    "NER": "Instantiate the entities.",
    "RE": "Instantiate the relations.",
    "ED": "Instantiate the events.",
    "EAE": "Instantiate the events with their arguments.",
}
# Refinement names the data set, since annotation guidelines contradict each other (paper, 3.3).
_OF_DATASET = "For DATASET {}, {}"
_ASKED: dict[Task, str] = {"NER": "entities", "RE": "relations", "ED": "events", "EAE": "events"}
InstanceOrder = Literal["sentence", "import", "whole"]
"""What stands first in instance code: the sentence, the imports, or definitions in the place of imports."""


def build_prompt(
    task: Task,
    class_names: Sequence[str],
    text: str,
    library: SchemaLibrary,
    style: Style,
    events: Sequence[Mention] = (),
    dataset: str = "",
) -> str:
    """The bare prompt: class definitions, the task, the sentence; ends with a newline.

    Classes stand in the order given, but for a parent, which stands before its children. Relations and events
    with roles bring the entity classes of their type hints along. ``events`` are the triggers that argument
    extraction is told, as mentions whose types are event classes. ``dataset`` is named in the instruction, for
    models that were refined on several data sets with their names.

    Raises:
        DataError: a class is not in the library.
    """
    if style.dialect == "released":
        return released.build_prompt(task, class_names, text, library, style, events, dataset)
    lines = [render.definitions(class_names, library, style, roles=task != "ED"), ""]
    asked = TASK_SENTENCES[task]
    if dataset:
        asked = _OF_DATASET.format(escape(one_line(dataset)), asked[0].lower() + asked[1:])
    lines.append(f'"""{asked}"""')
    if events:
        lines.append(f"events = [{', '.join(f'{event.type}({quote(event.text)})' for event in events)}]")
    lines.append(f"sentence = {quote(text)}\n")
    return "\n".join(lines)


def definitions(names: Sequence[str], library: SchemaLibrary, style: Style) -> str:
    """Definition code of phase 1: the classes alone (KnowCoder, section 3.1.1)."""
    if style.dialect == "released":
        return released.definitions(names, library, style)
    return render.definitions(names, library, style)


def instance_code(
    task: Task,
    name: str,
    text: str,
    annotations: Annotations,
    library: SchemaLibrary,
    style: Style,
    order: InstanceOrder = "sentence",
) -> str:
    """Instance code of phase 1: sentence, imports, and all instances of one class (KnowCoder, section 3.1.2).

    The sentence stands before the imports, so that a model learns which classes a sentence speaks of. The other
    orders are those that it was compared with (appendix A).
    """
    asked = f"# Extract the {_ASKED[task]} from the following sentence.\nsentence = {quote(text)}"
    answer = build_answer(task, annotations, [name], library, style)
    if order == "whole":
        return "\n\n".join([definitions([name], library, style), asked, answer])
    imports = "\n".join(_imports(task, name, annotations, library, style))
    return "\n\n".join([asked, imports, answer] if order == "sentence" else [imports, asked, answer])


def _imports(task: Task, name: str, annotations: Annotations, library: SchemaLibrary, style: Style) -> list[str]:
    names = [*argument_names(task, annotations, [name], library, style), name]
    imports = render.import_lines((used for used in names if used != "Entity"), library)
    if "Entity" in names:
        imports.insert(0, released.IMPORT_ENTITY if style.dialect == "released" else "from knowcoder import Entity")
    return imports
