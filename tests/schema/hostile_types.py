"""Types with labels, descriptions and examples that a renderer may trip over."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import role_name
from knowcoder.schema.quoting import one_line
from knowcoder.schema.source import library_of, name_concepts

LABELS = [
    *("Entity", "Event", "Relation", "List", "self", "results", "sentence", "events", "list", "class", "from", "None"),
    *("print", "type", "Exception", "property", "3D film", "42", "_", "__init__", "__debug__", "driver's license"),
    *("city", "City", "CITY", "ci-ty", "c/ity", "knowcoder", "schema pys", "rules", "Entities", "trigger", "roles"),
    *("\U0001f600", "\U0001f600 smile", "\u0645\u062f\u064a\u0646\u0629", "\u05e2\u05d9\u05e8", "\u4eba\u7269"),
    *(
        "\u5730\u70b9",
        "\ufb01lm",
        "\u0130stanbul",
        "\u212bngstr\u00f6m",
        "a\u0301",
        "\ud800",
        "\u202ertl",
        "",
        "\n",
        '"',
    ),
]
TEXTS = [
    *('"', '"""', "'''", 'ends in "', '"begins', "\\", "\\n", "\\N{DASH}", "\\x", "{x}", "%s", "# comment"),
    *("\n", "a\nb", "\r", "\t", "\0", "\x0c", "\x85", "\u2028", "\ud800", "\udcff x", "\U0001f600", "\u202egnp.\u202c"),
    *(
        "Examples:",
        "Parents: City",
        "Examples: a, b",
        "Description: x",
        "a, b",
        "(a, b)",
        ", ",
        "a,",
        ",a",
        " ",
        "",
        "pass",
    ),
]
labels = st.one_of(st.sampled_from(LABELS), st.text(max_size=6), st.text(st.characters(), max_size=4))
texts = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(), max_size=12),
    st.lists(st.sampled_from(TEXTS), max_size=4).map("".join),
)
sentences = st.one_of(texts, st.sampled_from(["Somewhere.", "A big settlement; see also town."])).map(one_line)


@st.composite
def libraries(draw: st.DrawFn, most: int = 4) -> SchemaLibrary:
    """Libraries of such types, named by their labels."""
    numbers = {kind: draw(st.integers(0, most)) for kind in ("entity", "relation", "event")}
    ids = {kind: [f"{kind} {number}" for number in range(count)] for kind, count in numbers.items()}
    hinted = st.lists(st.sampled_from(ids["entity"]), unique=True, max_size=2) if ids["entity"] else st.just([])

    def types() -> tuple[str, ...]:
        return tuple(draw(hinted))

    def about(kind: str, number: int) -> dict[str, Any]:
        parents = [None, *ids[kind][:number]]
        return {
            "id": ids[kind][number],
            "name": "",
            "label": draw(labels),
            "description": draw(sentences),
            "parent": draw(st.sampled_from(parents)),
        }

    def roles() -> tuple[Role, ...]:
        names: list[str] = []
        for label in draw(st.lists(labels, max_size=3)):
            names.append(role_name(label, names))
        return tuple(Role(name=name, types=types(), description=draw(sentences)) for name in names)

    words = st.lists(texts, max_size=3).map(tuple)
    pairs = st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
    concepts: list[Concept] = []
    for number in range(numbers["entity"]):
        concepts.append(EntityType(**about("entity", number), examples=draw(words)))
    for number in range(numbers["relation"]):
        common = about("relation", number)
        concepts.append(RelationType(**common, examples=draw(pairs), head=types(), tail=types()))
    for number in range(numbers["event"]):
        concepts.append(EventType(**about("event", number), examples=draw(words), roles=roles()))
    return library_of(name_concepts(concepts))


def all_of_them() -> SchemaLibrary:
    """Every label as an entity, a relation and an event, with every text somewhere."""

    def text(number: int) -> str:
        return TEXTS[number % len(TEXTS)]

    def roles(number: int) -> tuple[Role, ...]:
        names = {role_name(label): n for n, label in enumerate(LABELS) if number <= n < number + 4}
        return tuple(Role(name=name, types=(f"e{n}",), description=one_line(text(n))) for name, n in names.items())

    def about(kind: str, number: int) -> dict[str, Any]:
        parent = f"{kind}{number - 1}" if number % 3 else None
        description = one_line(text(number + ord(kind)))
        return {
            "id": f"{kind}{number}",
            "name": "",
            "label": LABELS[number],
            "description": description,
            "parent": parent,
        }

    concepts: list[Concept] = []
    for n in range(len(LABELS)):
        concepts.append(EntityType(**about("e", n), examples=(text(n), text(n + 1), text(n + 2))))
        pairs = ((text(n), text(n + 1)), (text(n + 2), text(n + 3)))
        concepts.append(RelationType(**about("r", n), head=(f"e{n}",), tail=(f"e{n - n % 2}",), examples=pairs))
        concepts.append(EventType(**about("v", n), examples=(text(n),), roles=roles(n)))
    return library_of(name_concepts(concepts))
