"""How the things of the demonstration world are called: invented names, and the nouns that introduce them.

A name either shows its type ("Lake Tessin", "Orlan Bridge": a *cue*), or it is *plain* ("Tessin", "The Silent
Harbor") and its type must be told by the sentence. Names are made of words; every word that is not a cue word
belongs to one split for good, so that no name of one split is contained in a name of another.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "dev", "test"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Repeated entries are more frequent.
_ONSETS = _words("b d f g h j k l m n p r s t v w z b d k l m n p r s t v br dr fr gr kl st tr th sh")
_VOWELS = _words("a e i o u a e i o a e i o ai ea ie oa ou")
_MIDDLES = ("", "", "", "", "n", "r", "l", "s", "m")
_CODAS = ("", "", "n", "l", "r", "s", "t", "m", "k", "d", "x", "nd", "ss", "rn", "sk", "th")

_ADJECTIVES: dict[Split, tuple[str, ...]] = {
    "train": _words(
        "Silent Broken Golden Distant Hollow Burning Secret Frozen Gentle Bitter Scarlet Endless Crooked Hidden "
        "Restless Velvet Ancient Lonely Shining Wicked Tender Sleeping Borrowed Northern Paper Wild Quiet Iron"
    ),
    "dev": _words("Fallen Emerald Drifting Narrow Blessed Rusty"),
    "test": _words("Forgotten Silver Patient Crimson Wandering Hungry Marble Reluctant Stolen Amber"),
}
_NOUNS: dict[Split, tuple[str, ...]] = {
    "train": _words(
        "Harbor Garden Winter Mirror Orchard Shadow Lantern Feather Thunder Meadow Clock Stranger Letter Horizon "
        "Candle Sparrow Ocean Kingdom Daughter Window Echo Summer Lion Desert Ladder Dream Teacher Storm Anchor "
        "Moon Compass Needle Sister Carnival Promise Fountain Wolf Road Tailor Rain"
    ),
    "dev": _words("Chimney Bell Raven Doctor Ribbon Pilgrim Snow Crown"),
    "test": _words("Lighthouse Fox Soldier Autumn Pearl Violin Curtain Swallow Miller Tide Staircase Ember"),
}

# Patterns by name kind. {s} is an invented stem, {a} an adjective and {n} a noun of the split, {d} digits,
# {L} a capital letter. What stands before "|" belongs to the sentence, not to the name.
_PLAIN: dict[str, tuple[str, ...]] = {
    "person": ("{s} {s}",) * 8
    + ("{s} {L}. {s}", "{s} van {s}", "{s} O'{s}", "{s} {s}-{s}", "{s} de {s}", "{s} {s} {s}"),
    "site": ("{s}",) * 6 + ("{s} {s}", "{s}-{s}"),
    "town": ("{s}",) * 6 + ("New {s}", "Saint {s}", "{s}-on-{s}", "San {s}", "{s}ton", "{s}burg"),
    "state": ("{s}ia", "{s}land", "{s}", "{s}stan", "{s}nia"),
    "title": ("The {a} {s}", "The {n} of {s}", "{s}'s {n}", "A {n} in {s}", "{a} {s}", "{s} and the {n}", "{s}",
              "Letters from {s}", "The {s} {n}", "{n} over {s}", "Goodbye, {s}", "The {a} {n} of {s}"),
    "firm": ("{s}", "{s}", "{s} {s}", "{s}co", "{s}tec"),
    "team": ("{s}", "{s} {s}", "{s} {d}"),
    "model": ("{s} {d}", "{s} {L}{d}", "{s}", "{s}-{d}", "{s} Mark {d}"),
    "matter": ("{s}",),
    "tongue": ("{s}ish", "{s}ese", "{s}ic"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Naming:
    """How the things of one type are introduced and called.

    Attributes:
        nouns: what the type is called in a sentence ("physicist").
        plain: kind of a name that does not show the type, a key of ``_PLAIN``.
        cues: patterns of names that show the type.
        frames: how noun and plain name stand together; {N} is the noun, {X} the name.
        article: whether a plain name is preceded by "the".
    """

    nouns: tuple[str, ...]
    plain: str
    cues: tuple[str, ...] = ()
    frames: tuple[str, ...] = ("the {N} {X}",)
    article: bool = False


_PERSON_FRAMES = ("the {N} {X}", "the {N} {X}", "{N} {X}", "{X}, {A},")
_OF_FRAMES = ("the {N} of {X}",)
_APPOSED = ("the {N} {X}", "the {N} {X}", "{X}, {A},")


def _person(*nouns: str) -> Naming:
    return Naming(nouns, "person", frames=_PERSON_FRAMES)


NAMING: dict[str, Naming] = {
    "human": Naming((), "person"),
    "scientist": _person("scientist", "researcher"),
    "physicist": _person("physicist", "nuclear physicist"),
    "chemist": _person("chemist", "organic chemist"),
    "biologist": _person("biologist", "marine biologist"),
    "artist": _person("artist"),
    "painter": _person("painter", "portrait painter"),
    "singer": _person("singer", "soprano"),
    "writer": _person("writer", "novelist"),
    "athlete": _person("athlete", "sprinter"),
    "footballer": _person("footballer", "goalkeeper"),
    "cyclist": _person("cyclist", "racing cyclist"),
    "politician": _person("politician", "senator"),
    "organization": Naming(("organization", "militia", "charity"), "firm", ("the |{s} Foundation", "the |{s} Society"),
                           article=True),
    "company": Naming(("company", "firm"), "firm", ("{s} Industries", "{s} Corporation", "{s} Holdings", "{s} & {s}",
                      "{s} Systems", "{s} Group"), _APPOSED),
    "airline": Naming(("airline",), "firm", ("Air {s}", "{s} Airways", "{s} Airlines"), _APPOSED),
    "university": Naming(("university", "college"), "firm", ("the |University of {s}", "{s} University", "{s} College",
                         "the |{s} Institute of Technology"), _APPOSED),
    "football_club": Naming(("football club", "club"), "team", ("FC {s}", "{s} United", "{s} Rovers", "{s} Athletic",
                            "Sporting {s}"), _APPOSED),
    "political_party": Naming(("party", "political party"), "firm", ("the |{s} Party", "the |{s} People's Party",
                              "the |{s} Democrats"), article=True),
    "band": Naming(("band", "rock group"), "title", ("the |{s} Quartet", "the |{s} Orchestra"), _APPOSED),
    "place": Naming((), "site"),
    "settlement": Naming(("settlement", "town"), "town", frames=_OF_FRAMES),
    "city": Naming(("city",), "town", ("{s} City", "Port {s}"), _OF_FRAMES),
    "village": Naming(("village",), "town", ("Little {s}", "Upper {s}"), _OF_FRAMES),
    "country": Naming(("country",), "state", ("the |Republic of {s}", "the |Kingdom of {s}"), _OF_FRAMES),
    "body_of_water": Naming(("sea", "bay"), "site", ("the |{s} Sea", "the |Gulf of {s}", "{s} Bay")),
    "lake": Naming(("lake",), "site", ("Lake {s}", "Lake {s}", "{s} Lake"), _APPOSED),
    "river": Naming(("river", "stream"), "site", ("the |River {s}", "the |{s} River"), article=True),
    "landform": Naming(("valley", "desert"), "site", ("the |{s} Valley", "the |{s} Desert", "Cape {s}")),
    "mountain": Naming(("mountain", "peak"), "site", ("Mount {s}", "{s} Peak"), _APPOSED),
    "island": Naming(("island",), "site", ("{s} Island", "the |Isle of {s}"), ("the {N} of {X}", "{X}, {A},")),
    "structure": Naming(("tower", "castle"), "site", ("{s} Castle", "the |{s} Tower")),
    "bridge": Naming(("bridge",), "site", ("the |{s} Bridge", "{s} Bridge"), article=True),
    "museum": Naming(("museum",), "site", ("the |{s} Museum", "the |Museum of {s}", "the |{s} Gallery"), article=True),
    "stadium": Naming(("stadium",), "site", ("{s} Stadium", "{s} Arena", "the |{s} Ground"), _APPOSED),
    "work": Naming(("work", "sculpture"), "title"),
    "film": Naming(("film", "movie"), "title"),
    "novel": Naming(("novel", "book"), "title"),
    "song": Naming(("song", "ballad"), "title"),
    "painting": Naming(("painting", "canvas"), "title"),
    "product": Naming(("camera", "radio", "product"), "model"),
    "vehicle": Naming(("vehicle", "tram"), "model"),
    "ship": Naming(("ship", "steamer"), "model", ("the |MS {s}", "the |SS {s}")),
    "aircraft": Naming(("aircraft", "airliner"), "model", ("the |{s} Jet", "the |{s} Airliner")),
    "software": Naming(("software", "program", "app"), "model", ("{s} OS", "{s} Office", "{s}Soft")),
    "award": Naming(("award", "prize", "medal"), "team", ("the |{s} Prize", "the |{s} Medal", "the |{s} Award"),
                    article=True),
    "festival": Naming(("festival",), "title", ("the |{s} Festival", "{s} Fest", "the |{s} Carnival")),
    "substance": Naming(("substance", "metal"), "matter", ("|{s}ium", "|{s} acid")),
    "mineral": Naming(("mineral",), "matter", ("|{s}ite", "|{s}spar")),
    "drug": Naming(("drug", "medicine"), "matter", ("|{s}cillin", "|{s}statin", "|{s}mab")),
    "language": Naming(("language",), "tongue", frames=("the {N} {X}", "{X}, {A},")),
}  # fmt: skip

# Words that names of any split may hold; no stem and no word of random letters is one of them.
_SHARED_WORDS = frozenset(
    word.capitalize()
    for pattern in [*(p for ps in _PLAIN.values() for p in ps), *(p for naming in NAMING.values() for p in naming.cues)]
    for word in re.findall(r"[A-Za-z]+", re.sub(r"\{.\}", " ", pattern))
).union(*_ADJECTIVES.values(), *_NOUNS.values())

_LOWER_CASE = frozenset({"substance", "mineral", "drug"})


@dataclass(slots=True)
class Namer:
    """Makes the names of one split, distinct from every word that another split owns.

    ``owners`` is shared by the namers of a world: word -> the split that it belongs to.
    """

    split: Split
    seed: int
    pool_size: int
    owners: dict[str, Split]
    _rng: random.Random = field(init=False)
    _stems: list[str] = field(init=False, default_factory=list)
    _pools: dict[str, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"names {self.seed} {self.split}")
        for _ in range(self.pool_size):
            self._stems.append(self._stem())

    def pool(self, key: str) -> list[str]:
        """The names of a pool, made when first asked for. ``key`` is "plain:KIND" or "cue:TYPE".

        A name is spelt as a pattern: "article |name", the part before the bar standing outside of the name.
        """
        if key not in self._pools:
            form, what = key.split(":")
            patterns = _PLAIN[what] if form == "plain" else NAMING[what].cues
            names = {self._fill(patterns[i % len(patterns)], what in _LOWER_CASE): None for i in range(self.pool_size)}
            self._pools[key] = list(names)
        return self._pools[key]

    def scrambled(self, rng: random.Random) -> str:
        """A name of one to three words of random letters: nothing can be learnt from it but to copy it."""
        return " ".join(self._scrambled_word(rng) for _ in range(rng.choice((1, 1, 2, 2, 3))))

    def _scrambled_word(self, rng: random.Random) -> str:
        while True:
            letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 8))).capitalize()
            if rng.random() < 0.12:
                letters += str(rng.randint(1, 99))
            if letters not in _SHARED_WORDS and self._claim(letters):
                return letters

    def _stem(self) -> str:
        while True:
            syllables = self._rng.choice((2, 2, 2, 3))
            parts = [self._rng.choice(_ONSETS) + self._rng.choice(_VOWELS) for _ in range(syllables)]
            word = self._rng.choice(_MIDDLES).join(parts) + self._rng.choice(_CODAS)
            name = word.capitalize()
            if 4 <= len(word) <= 9 and name not in self.owners and name not in _SHARED_WORDS:
                self.owners[name] = self.split
                return name

    def _fill(self, pattern: str, lower: bool) -> str:
        rng = self._rng
        while True:
            name = pattern
            for mark, choices in (("{s}", self._stems), ("{a}", _ADJECTIVES[self.split]), ("{n}", _NOUNS[self.split])):
                while mark in name:
                    name = name.replace(mark, rng.choice(choices), 1)
            name = name.replace("{L}", rng.choice("ABCDEFGHKLMNPRSTVWX")).replace("{d}", str(rng.randint(2, 999)))
            if self._claim(*_own_words(pattern, name)):
                return name.lower() if lower else name

    def _claim(self, *words: str) -> bool:
        """Takes the words for this split unless another one owns one of them."""
        if any(self.owners.get(word, self.split) != self.split for word in words):
            return False
        self.owners.update(dict.fromkeys(words, self.split))
        return True


def _own_words(pattern: str, name: str) -> list[str]:
    """The words of a name that were made from a stem (with its ending), so not its cue words."""
    pairs = zip(pattern.partition("|")[2].split() or pattern.split(), name.rpartition("|")[2].split(), strict=True)
    return [word for part, word in pairs if "{s}" in part]


def with_article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
