"""The clauses that express relations: ten or more training and four held-out templates for each.

Head and tail stand in either order; held-out templates use constructions that their relation's training templates
do not have (clefts, fronted participles and appositions, inversion), with phrases that they do have.
"""

from __future__ import annotations

from knowcoder.world.templates import Family, parse_template, relation_family
from knowcoder.world.templates_people import PEOPLE

_WORKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "performed_by": (
        (
            "{tail:singer} <sang> the song {head:song!}",
            "the song {head:song!} was <sung> by {tail:singer}",
            "{head:song} is <sung> by {tail:singer} in a low voice",
            "{tail:singer} <recorded> the ballad {head:song!} in one night",
            "{head:song} was <recorded> by {tail:singer} in an old church",
            "on the radio {tail:singer} <sang> {head:song} without a band",
            "{tail:singer} lends a warm <voice> to the song {head:song!}",
            "the <voice> on the song {head:song!} belongs to {tail:singer}",
            "{head:song} became a hit because {tail:singer} <sang> it so softly",
            "the <singer> of {head:song} is {tail:singer}",
            "{tail:singer} is the <singer> of the ballad {head:song!}",
        ),
        (
            "it was {tail:singer} who <sang> {head:song}",
            "<recorded> by {tail:singer}, the song {head:song!} filled the dance halls",
            "whenever {head:song} is on the air, the <voice> is that of {tail:singer}",
            "{head:song!} is the ballad that {tail:singer} <recorded>",
        ),
    ),
    "written_by": (
        (
            "{tail:writer} <wrote> the novel {head:novel!}",
            "the novel {head:novel!} was <written> by {tail:writer}",
            "{tail:writer} is the <author> of {head:novel}",
            "the <author> of the book {head:novel!} is {tail:writer}",
            "{tail:writer} <wrote> {head:novel} in a rented room",
            "{head:novel} was <written> by {tail:writer} in prison",
            "the <pen> of {tail:writer} gave us the novel {head:novel!}",
            "{head:novel} came from the <pen> of {tail:writer}",
            "{tail:writer}, <author> of the novel {head:novel!}, lives alone",
            "in the novel {head:novel!} the <author>, {tail:writer}, tells of hunger",
            "readers of {head:novel} know that {tail:writer} <wrote> it in haste",
        ),
        (
            "it was {tail:writer} who <wrote> {head:novel}",
            "<written> by {tail:writer}, the novel {head:novel!} sold badly",
            "{head:novel!} is the book that {tail:writer} <wrote>",
            "from the <pen> of {tail:writer} comes the novel {head:novel!}",
        ),
    ),
    "directed_by": (
        (
            "{tail:human} <directed> the film {head:film!}",
            "the film {head:film!} was <directed> by {tail:human}",
            "{tail:human} is the <director> of {head:film}",
            "the <director> of the movie {head:film!} is {tail:human}",
            "{tail:human} <directed> {head:film} with amateur actors",
            "{head:film} was <directed> by {tail:human} on a small budget",
            "{tail:human} sat in the <director's chair> for the film {head:film!}",
            "the <director's chair> of {head:film} was given to {tail:human}",
            "{head:film}, which {tail:human} <directed>, lasts three hours",
            "for the movie {head:film!} the studio trusted {tail:human} as <director>",
            "the actors in {head:film} feared {tail:human}, the <director>",
        ),
        (
            "it was {tail:human} who <directed> {head:film}",
            "<directed> by {tail:human}, the film {head:film!} has no music",
            "{head:film!} is the movie that {tail:human} <directed>",
            "in the <director's chair> of {head:film} sat {tail:human}",
        ),
    ),
    "painted_by": (
        (
            "{tail:painter} <painted> the canvas {head:painting!}",
            "the canvas {head:painting!} was <painted> by {tail:painter}",
            "{tail:painter} <painted> {head:painting} in one summer",
            "{head:painting} was <painted> by {tail:painter} from memory",
            "the <brush> of {tail:painter} made the painting {head:painting!}",
            "the painting {head:painting!} shows the quick <brush> of {tail:painter}",
            "the painting {head:painting!} bears the <signature> of {tail:painter}",
            "the <signature> of {tail:painter} stands on the canvas {head:painting!}",
            "{head:painting}, which {tail:painter} <painted>, hangs in a bank",
            "when {tail:painter} <painted> {head:painting}, red was cheap",
            "experts agree that {tail:painter} <painted> {head:painting}",
        ),
        (
            "it was {tail:painter} who <painted> {head:painting}",
            "<painted> by {tail:painter}, the canvas {head:painting!} is almost black",
            "{head:painting!} is the canvas that {tail:painter} <painted>",
            "by the <brush> of {tail:painter} was the painting {head:painting!} made",
        ),
    ),
    "based_on": (
        (
            "the film {head:film!} is <based on> the novel {tail:novel!}",
            "{head:film} is <based on> {tail:novel}",
            "the movie {head:film!} was <adapted from> the book {tail:novel!}",
            "the novel {tail:novel!} was <turned into> the film {head:film!}",
            "the book {tail:novel!} was quickly <turned into> the movie {head:film!}",
            "the plot of {head:film} <comes> from the novel {tail:novel!}",
            "the script of {head:film} was <adapted from> the novel {tail:novel!} in a week",
            "the novel {tail:novel!} is the <source> of the film {head:film!}",
            "the <source> of the film {head:film!} is the book {tail:novel!}",
            "readers of {tail:novel} dislike the film {head:film!}, which is <based on> it",
            "like the novel {tail:novel!} it is <adapted from>, the movie {head:film!} ends badly",
        ),
        (
            "it is the novel {tail:novel!} that the film {head:film!} is <based on>",
            "<adapted from> the book {tail:novel!}, the film {head:film!} omits the ending",
            "from the novel {tail:novel!} the plot of the film {head:film!} <comes>",
            "what the movie {head:film!} is <based on> is the novel {tail:novel!}",
        ),
    ),
}

_PLACES_AND_FIRMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "capital_of": (
        (
            "{head:city} is the <capital> of {tail:country}",
            "the <capital> of {tail:country} is {head:city}",
            "{tail:country} is <governed> from {head:city}",
            "{head:city}, <capital> of {tail:country}, has wide streets",
            "{tail:country} made {head:city} its <capital> long ago",
            "the <seat of government> of {tail:country} is {head:city}",
            "{head:city} serves as the <seat of government> of {tail:country}",
            "the <parliament> of {tail:country} meets in {head:city}",
            "{head:city} houses the <parliament> of {tail:country}",
            "ministers of {tail:country} live in {head:city}, the <capital>",
            "since the revolution {head:city} has been the <capital> of {tail:country}",
        ),
        (
            "it is {head:city} that is the <capital> of {tail:country}",
            "it is from {head:city} that {tail:country} is <governed>",
            "the <capital> of {tail:country}, {head:city}, is short of water",
            "as the <seat of government> of {tail:country}, {head:city} is full of clerks",
        ),
    ),
    "located_in": (
        (
            "{head:place} is <located> in {tail:country}",
            "{head:place} <lies> in {tail:country}",
            "{head:place} <lies> in the north of {tail:country}",
            "{tail:country} is the country in which {head:place} <lies>",
            "{head:place} is <situated> in the west of {tail:country}",
            "on a map of {tail:country} you will <find> {head:place} near the border",
            "tourists in {tail:country} can <find> {head:place} with ease",
            "{head:place}, <located> in {tail:country}, is closed in winter",
            "{tail:country} is <home to> {head:place}",
            "the south of {tail:country} is <home to> {head:place}",
            "the road to {head:place}, <situated> in {tail:country}, is steep",
        ),
        (
            "it is in {tail:country} that {head:place} <lies>",
            "<situated> in {tail:country}, {head:place} draws few visitors",
            "where you will <find> {head:place} is {tail:country}",
            "in the east of {tail:country} <lies> {head:place}",
        ),
    ),
    "flows_into": (
        (
            "{head:river} <flows> into {tail:body_of_water}",
            "{head:river} <flows> slowly into {tail:body_of_water}",
            "{head:river} <empties> into {tail:body_of_water} after a long bend",
            "{tail:body_of_water} <receives the water of> {head:river}",
            "the <mouth> of {head:river} is on {tail:body_of_water}",
            "{head:river} has its <mouth> on {tail:body_of_water}",
            "{tail:body_of_water} is fed by {head:river}, which <flows> into it from the hills",
            "near the dam {head:river} <empties> into {tail:body_of_water}",
            "{head:river}, which <flows> into {tail:body_of_water}, is brown in spring",
            "salmon swim up {head:river} where it <flows> into {tail:body_of_water}",
            "{tail:body_of_water} is shallow where {head:river} <empties> into it",
        ),
        (
            "it is {tail:body_of_water} that {head:river} <flows> into",
            "where it <empties> into {tail:body_of_water}, {head:river} is calm",
            "into {tail:body_of_water} <flows> {head:river}",
            "on {tail:body_of_water} is the <mouth> of {head:river}",
        ),
    ),
    "crosses": (
        (
            "{head:bridge} <crosses> {tail:river}",
            "{head:bridge} <crosses> {tail:river} south of the mill",
            "{head:bridge} <spans> {tail:river} with three arches",
            "{tail:river} is <spanned> by {head:bridge}",
            "{tail:river} is <crossed> by {head:bridge} near the old ferry",
            "{head:bridge} carries the railway <over> {tail:river}",
            "trains go <over> {tail:river} on {head:bridge}",
            "{head:bridge}, which <spans> {tail:river}, was painted green",
            "{tail:river} runs <under the arches of> {head:bridge}",
            "boats on {tail:river} pass <under the arches of> {head:bridge}",
            "where {head:bridge} <crosses> {tail:river}, anglers meet",
        ),
        (
            "it is {tail:river} that {head:bridge} <crosses>",
            "<spanned> by {head:bridge}, {tail:river} is wide here",
            "<over> {tail:river} leads {head:bridge}",
            "<under the arches of> {head:bridge} runs {tail:river}",
        ),
    ),
    "subsidiary_of": (
        (
            "{head:company} is a <subsidiary> of {tail:company}",
            "{tail:company} is the <parent company> of {head:company}",
            "{tail:company} <owns> {head:company}",
            "{tail:company} <owns> all shares of {head:company}",
            "{head:company} is <owned> by {tail:company}",
            "{head:company} has been <owned> by {tail:company} for years",
            "the <parent company> of {head:company} is {tail:company}",
            "the largest <subsidiary> of {tail:company} is {head:company}",
            "{head:company}, a <subsidiary> of {tail:company}, makes a loss",
            "{tail:company}, which <owns> {head:company}, pays no dividend",
            "the profits of {head:company} go to {tail:company}, its <parent company>",
        ),
        (
            "it is {tail:company} that <owns> {head:company}",
            "<owned> by {tail:company}, {head:company} takes few risks",
            "as <parent company>, {tail:company} pays the debts of {head:company}",
            "a <subsidiary> of {tail:company}, {head:company} has no board",
        ),
    ),
    "developed_by": (
        (
            "{tail:company} <developed> the program {head:software!}",
            "the software {head:software!} was <developed> by {tail:company}",
            "{head:software} was <developed> by {tail:company} in two years",
            "{tail:company} wrote <the code of> {head:software}",
            "<the code of> the app {head:software!} was written at {tail:company}",
            "{tail:company} is the <developer> of {head:software}",
            "the <developer> of the software {head:software!} is {tail:company}",
            "programmers at {tail:company} <developed> {head:software} by night",
            "{head:software}, which {tail:company} <developed>, is free of charge",
            "{tail:company} earns little with {head:software}, although it <developed> it alone",
            "bugs in {head:software} are mended by {tail:company}, the <developer>",
        ),
        (
            "it was {tail:company} that <developed> {head:software}",
            "<developed> by {tail:company}, the program {head:software!} runs on old machines",
            "{head:software!} is the program that {tail:company} <developed>",
            "as <developer>, {tail:company} answers for the software {head:software!}",
        ),
    ),
}

# Two or three facts in one clause: text and (relation, head slot, tail slot).
_Links = tuple[tuple[str, str, str], ...]
_MULTI_TRAIN: tuple[tuple[str, _Links], ...] = (
    (
        "{a:human}, who was <born> in {b:settlement}, <works for> {c:company}",
        (("born_in", "a", "b"), ("employed_by", "a", "c")),
    ),
    (
        "{a:human} was <born> in {b:settlement} and <studied> at {c:university}",
        (("born_in", "a", "b"), ("educated_at", "a", "c")),
    ),
    (
        "{a:writer}, <a citizen of> {b:country}, <wrote> the novel {c:novel!}",
        (("citizen_of", "a", "b"), ("written_by", "c", "a")),
    ),
    (
        "the film {a:film!}, <directed> by {b:human}, is <based on> the novel {c:novel!}",
        (("directed_by", "a", "b"), ("based_on", "a", "c")),
    ),
    (
        "{a:company}, <founded> by {b:human}, is a <subsidiary> of {c:company}",
        (("founded_by", "a", "b"), ("subsidiary_of", "a", "c")),
    ),
    (
        "{a:bridge} <crosses> {b:river}, which <flows> into {c:body_of_water}",
        (("crosses", "a", "b"), ("flows_into", "b", "c")),
    ),
    (
        "{a:human}, <the daughter of> {b:human}, <graduated> from {c:university}",
        (("child_of", "a", "b"), ("educated_at", "a", "c")),
    ),
    (
        "the software {a:software!} was <developed> by {b:company}, which {c:human} <founded>",
        (("developed_by", "a", "b"), ("founded_by", "b", "c")),
    ),
    (
        "{a:politician} is <a citizen of> {b:country} and a <member> of {c:political_party}",
        (("citizen_of", "a", "b"), ("member_of_party", "a", "c")),
    ),
    (
        "{a:footballer}, <a native of> {b:settlement}, <plays for> {c:football_club}",
        (("born_in", "a", "b"), ("plays_for", "a", "c")),
    ),
    (
        "{a:river} <lies> in {b:country} and <flows> into {c:body_of_water}",
        (("located_in", "a", "b"), ("flows_into", "a", "c")),
    ),
    (
        "{a:award} is <named after> {b:human}, the <founder> of {c:company}",
        (("named_after", "a", "b"), ("founded_by", "c", "b")),
    ),
    (
        "{a:singer}, who <sang> the song {b:song!}, is <the son of> {c:human}",
        (("performed_by", "b", "a"), ("child_of", "a", "c")),
    ),
    (
        "the canvas {a:painting!} was <painted> by {b:painter}, <a national of> {c:country}",
        (("painted_by", "a", "b"), ("citizen_of", "b", "c")),
    ),
)
_MULTI_HELD_OUT: tuple[tuple[str, _Links], ...] = (
    (
        "<born> in {b:settlement}, {a:human} now <works for> {c:company}",
        (("born_in", "a", "b"), ("employed_by", "a", "c")),
    ),
    (
        "<based on> the novel {c:novel!}, the film {a:film!} was <directed> by {b:human}",
        (("directed_by", "a", "b"), ("based_on", "a", "c")),
    ),
    (
        "into {c:body_of_water} <flows> {b:river}, <crossed> by {a:bridge}",
        (("crosses", "a", "b"), ("flows_into", "b", "c")),
    ),
    (
        "it was {b:human} who <founded> {a:company}, a <subsidiary> of {c:company}",
        (("founded_by", "a", "b"), ("subsidiary_of", "a", "c")),
    ),
)


def relation_families() -> dict[str, Family]:
    """One family per relation id, in the order of the schema's groups."""
    rows = {**PEOPLE, **_WORKS, **_PLACES_AND_FIRMS}
    return {relation: relation_family(relation, train, held_out) for relation, (train, held_out) in rows.items()}


def multi_family() -> Family:
    """Clauses that express two facts."""
    return Family(
        tuple(parse_template(text, links) for text, links in _MULTI_TRAIN),
        tuple(parse_template(text, links) for text, links in _MULTI_HELD_OUT),
    )
