"""The schema of the demonstration world: its entity, relation and event types.

The entity types form a taxonomy (Human > Scientist > Physicist). Inner nodes are gold types too: a person of
whom nothing finer is said is a Human. Examples are filled in from the training sentences, see generate.py.
"""

from __future__ import annotations

from knowcoder.schema.concepts import EntityType, RelationType, Role

# id, name, id of the parent, description
_ENTITY_ROWS: tuple[tuple[str, str, str | None, str], ...] = (
    ("human", "Human", None, "A person of whom no profession is said."),
    ("scientist", "Scientist", "human", "A person who does research."),
    ("physicist", "Physicist", "scientist", "A scientist of matter and energy."),
    ("chemist", "Chemist", "scientist", "A scientist of substances and reactions."),
    ("biologist", "Biologist", "scientist", "A scientist of living things."),
    ("artist", "Artist", "human", "A person who makes art."),
    ("painter", "Painter", "artist", "An artist who paints pictures."),
    ("singer", "Singer", "artist", "An artist who sings."),
    ("writer", "Writer", "artist", "An artist who writes books."),
    ("athlete", "Athlete", "human", "A person who competes in sport."),
    ("footballer", "Footballer", "athlete", "An athlete who plays football."),
    ("cyclist", "Cyclist", "athlete", "An athlete who races on a bicycle."),
    ("politician", "Politician", "human", "A person who seeks or holds public office."),
    ("organization", "Organization", None, "A group of people with a common purpose."),
    ("company", "Company", "organization", "An organization that does business."),
    ("airline", "Airline", "company", "A company that flies passengers."),
    ("university", "University", "organization", "An organization that teaches students and does research."),
    ("football_club", "FootballClub", "organization", "An organization whose team plays football."),
    ("political_party", "PoliticalParty", "organization", "An organization that stands in elections."),
    ("band", "Band", "organization", "A group that plays music."),
    ("place", "Place", None, "A spot or area that can be visited."),
    ("settlement", "Settlement", "place", "A place where people live together."),
    ("city", "City", "settlement", "A large settlement."),
    ("village", "Village", "settlement", "A small rural settlement."),
    ("country", "Country", "place", "A place with a government of its own."),
    ("body_of_water", "BodyOfWater", "place", "A place covered by water, such as a sea or a bay."),
    ("lake", "Lake", "body_of_water", "Standing water with land all around."),
    ("river", "River", "body_of_water", "A natural stream of water."),
    ("landform", "Landform", "place", "A natural shape of the land, such as a valley."),
    ("mountain", "Mountain", "landform", "Land that rises high."),
    ("island", "Island", "landform", "Land with water all around."),
    ("structure", "Structure", "place", "A place that was built, such as a tower."),
    ("bridge", "Bridge", "structure", "A structure that carries a way over an obstacle."),
    ("museum", "Museum", "structure", "A building that shows a collection."),
    ("stadium", "Stadium", "structure", "A structure for sport with seats for spectators."),
    ("work", "Work", None, "A work of art or of the mind."),
    ("film", "Film", "work", "A work shown in cinemas."),
    ("novel", "Novel", "work", "A long story in a book."),
    ("song", "Song", "work", "A piece of music that is sung."),
    ("painting", "Painting", "work", "A picture made with paint."),
    ("product", "Product", None, "A thing made to be sold."),
    ("vehicle", "Vehicle", "product", "A product that carries people or goods."),
    ("ship", "Ship", "vehicle", "A vehicle that sails on water."),
    ("aircraft", "Aircraft", "vehicle", "A vehicle that flies."),
    ("software", "Software", "product", "A program for computers."),
    ("award", "Award", None, "An honour given for merit."),
    ("festival", "Festival", None, "A celebration held again and again."),
    ("substance", "Substance", None, "A kind of matter."),
    ("mineral", "Mineral", "substance", "A substance found in rocks."),
    ("drug", "Drug", "substance", "A substance given to the sick."),
    ("language", "Language", None, "A way in which a people speaks."),
)

# id, name, description, head ids, tail ids
_RELATION_ROWS: tuple[tuple[str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("born_in", "BornIn", "The head came into the world in the tail.", ("human",), ("settlement",)),
    ("citizen_of", "CitizenOf", "The head has the nationality of the tail.", ("human",), ("country",)),
    ("child_of", "ChildOf", "The head is a son or daughter of the tail.", ("human",), ("human",)),
    ("educated_at", "EducatedAt", "The head studied at the tail.", ("human",), ("university",)),
    ("employed_by", "EmployedBy", "The head works for the tail.", ("human",), ("company",)),
    ("member_of_party", "MemberOfParty", "The head belongs to the tail.", ("politician",), ("political_party",)),
    ("plays_for", "PlaysFor", "The head is in the team of the tail.", ("footballer",), ("football_club",)),
    ("performed_by", "PerformedBy", "The head is sung by the tail.", ("song",), ("singer",)),
    ("written_by", "WrittenBy", "The tail is the author of the head.", ("novel",), ("writer",)),
    ("directed_by", "DirectedBy", "The tail is the director of the head.", ("film",), ("human",)),
    ("painted_by", "PaintedBy", "The tail made the head.", ("painting",), ("painter",)),
    ("capital_of", "CapitalOf", "The head is the seat of government of the tail.", ("city",), ("country",)),
    ("located_in", "LocatedIn", "The head lies within the tail.", ("place",), ("country",)),
    ("flows_into", "FlowsInto", "The water of the head runs into the tail.", ("river",), ("body_of_water",)),
    ("crosses", "Crosses", "The head spans the tail.", ("bridge",), ("river",)),
    ("founded_by", "FoundedBy", "The tail started the head.", ("company",), ("human",)),
    ("subsidiary_of", "SubsidiaryOf", "The head is owned by the tail.", ("company",), ("company",)),
    ("developed_by", "DevelopedBy", "The tail wrote the code of the head.", ("software",), ("company",)),
    ("named_after", "NamedAfter", "The head bears the name of the tail.", ("award",), ("human",)),
    ("based_on", "BasedOn", "The head retells the story of the tail.", ("film",), ("novel",)),
)

# id, name, description, roles: (name, entity type ids, description)
_RoleRow = tuple[str, tuple[str, ...], str]
EVENT_ROWS: tuple[tuple[str, str, str, tuple[_RoleRow, ...]], ...] = (
    (
        "attack",
        "Attack",
        "Armed people use force against a place.",
        (
            ("attacker", ("organization", "human"), "Who uses force."),
            ("target", ("settlement", "structure", "vehicle"), "What is attacked."),
            ("country", ("country",), "Where it happens."),
        ),
    ),
    (
        "victory",
        "Victory",
        "A football club comes out ahead of another in a match.",
        (
            ("winner", ("football_club",), "Who comes out ahead."),
            ("loser", ("football_club",), "Who falls behind."),
            ("venue", ("stadium",), "Where they play."),
        ),
    ),
    (
        "award_giving",
        "AwardGiving",
        "Somebody is given an award.",
        (
            ("recipient", ("human", "band"), "Who is given it."),
            ("award", ("award",), "What is given."),
            ("work", ("work",), "What it is given for."),
            ("festival", ("festival",), "On what occasion."),
        ),
    ),
    (
        "election",
        "Election",
        "A politician comes into office by a vote.",
        (
            ("winner", ("politician",), "Who comes into office."),
            ("loser", ("politician",), "Who gets fewer votes."),
            ("place", ("country", "settlement"), "Where people vote."),
        ),
    ),
    (
        "product_launch",
        "ProductLaunch",
        "A new product is put on the market.",
        (
            ("maker", ("company",), "Who sells it."),
            ("product", ("product",), "What is new."),
            ("place", ("settlement",), "Where it is first sold or shown."),
        ),
    ),
    (
        "journey",
        "Journey",
        "Somebody or something travels from one place to another.",
        (
            ("traveler", ("human", "vehicle"), "Who or what travels."),
            ("origin", ("settlement",), "Where it starts."),
            ("destination", ("settlement", "island"), "Where it leads."),
        ),
    ),
)

ENTITY_TYPES: tuple[EntityType, ...] = tuple(
    EntityType(id=id_, name=name, label=id_.replace("_", " "), description=description, parent=parent)
    for id_, name, parent, description in _ENTITY_ROWS
)

RELATION_TYPES: tuple[RelationType, ...] = tuple(
    RelationType(id=id_, name=name, label=id_.replace("_", " "), description=description, head=head, tail=tail)
    for id_, name, description, head, tail in _RELATION_ROWS
)

EVENT_ROLES: dict[str, tuple[Role, ...]] = {
    id_: tuple(Role(name=role, types=types, description=text) for role, types, text in roles)
    for id_, _, _, roles in EVENT_ROWS
}


def descendants(type_id: str) -> tuple[str, ...]:
    """The ids of the entity types below ``type_id``, nearest first in the order of the table."""
    found = [type_id]
    for entity in ENTITY_TYPES:  # parents stand before their children
        if entity.parent in found:
            found.append(entity.id)
    return tuple(found[1:])
