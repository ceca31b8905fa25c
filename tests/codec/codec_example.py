"""A small library with annotations, for the tests of the codec."""

from __future__ import annotations

from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary

LIBRARY = SchemaLibrary(
    (
        EntityType(id="Q1", name="Place", description="Somewhere."),
        EntityType(id="Q2", name="Settlement", parent="Q1"),
        EntityType(id="Q3", name="City", description='A "big" one.', parent="Q2", examples=("Marvel", "Paris, Texas")),
        EntityType(id="Q4", name="Human", examples=("Ada",)),
        EntityType(id="Q5", name="Poet", parent="Q4"),
    ),
    (
        RelationType(id="P1", name="BornIn", head=("Q4",), tail=("Q2", "Q1"), examples=(("Ada", "London"),)),
        RelationType(id="P2", name="BornInCity", parent="P1", head=("Q4",), tail=("Q3",)),
        RelationType(id="P3", name="Knows"),
    ),
    (
        EventType(
            id="E1",
            name="Attack",
            description="Violence.",
            examples=("bombed", "shelled"),
            roles=(Role(name="attacker", types=("Q4",)), Role(name="place", types=("Q2",)), Role(name="from_")),
        ),
        EventType(id="E2", name="Meet", roles=(Role(name="person", types=("Q5", "Q4")),)),
    ),
)
TEXT = 'Ada "A" Byron bombed London.'
ADA, LONDON = Mention("Poet", 'Ada "A" Byron', 0, 13), Mention("City", "London", 21, 27)
BOMBED = Mention("Attack", "bombed", 14, 20)
ANNOTATIONS = Annotations(
    (LONDON, ADA),
    (Relation("Knows", LONDON, ADA), Relation("BornIn", ADA, LONDON)),
    (Event("Attack", BOMBED, (Argument("place", LONDON), Argument("attacker", ADA), Argument("from_", LONDON))),),
)
CLASSES = {
    "NER": ("City", "Place", "Poet", "Human"),
    "RE": ("Knows", "BornInCity", "BornIn"),
    "ED": ("Meet", "Attack"),
    "EAE": ("Attack",),
}
