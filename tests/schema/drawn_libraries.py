"""Libraries for hypothesis to draw."""

from __future__ import annotations

from hypothesis import strategies as st

from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.quoting import one_line

TEXTS = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(["Examples:", "Parents:", "a, b", '"""', '"', "\\", "),", "(", " ", "x", "\n"]), max_size=6
    ).map("".join),
)
DESCRIPTIONS = TEXTS.map(one_line)


@st.composite
def libraries(draw: st.DrawFn) -> SchemaLibrary:
    """Libraries whose ids are their names, as a Python source gives them."""

    def family(count: int, prefix: str) -> list[tuple[str, str | None]]:
        names = [f"{prefix}{number}" for number in range(count)]
        return [
            (name, draw(st.sampled_from([None, *names[:number]])) if number else None)
            for number, name in enumerate(names)
        ]

    entities = family(draw(st.integers(1, 4)), "Thing")
    types = st.lists(st.sampled_from([name for name, _ in entities]), unique=True, max_size=2).map(tuple)
    texts = st.lists(TEXTS, max_size=3).map(tuple)
    pairs = st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple)
    roles = st.lists(
        st.builds(Role, name=st.sampled_from(["agent", "place", "from_"]), types=types, description=DESCRIPTIONS),
        unique_by=lambda role: role.name,
        max_size=3,
    ).map(tuple)
    return SchemaLibrary(
        tuple(
            EntityType(id=n, name=n, parent=p, description=draw(DESCRIPTIONS), examples=draw(texts))
            for n, p in entities
        ),
        tuple(
            RelationType(
                id=n, name=n, parent=p, description=draw(DESCRIPTIONS), examples=draw(pairs),
                head=draw(types), tail=draw(types),
            )
            for n, p in family(draw(st.integers(0, 3)), "Link")
        ),
        tuple(
            EventType(
                id=n, name=n, parent=p, description=draw(DESCRIPTIONS), examples=draw(texts), roles=draw(roles)
            )
            for n, p in family(draw(st.integers(0, 3)), "Act")
        ),
    )  # fmt: skip
