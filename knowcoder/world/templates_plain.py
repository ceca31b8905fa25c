"""Clauses without relation and event: descriptions of things, and everyday uses of the words that trigger events."""

from __future__ import annotations

from knowcoder.world.templates import Family, plain_family

# Descriptions, for the types that few or no relations cover.
_DESCRIPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "landform": (
        (
            "{x:landform?} is {x.a} in the north",
            "{x:landform+} looks best in the morning light",
            "nobody has ever measured {x:landform+} properly",
            "of all that we saw, the {x.noun} {x:landform?} was the quietest",
            "clouds hung over {x:landform+} for a week",
        ),
        ("{x.a} such as {x:landform?} can be seen from far away", "how lonely {x:landform+} looked in the fog"),
    ),
    "water": (
        (
            "{x:body_of_water?} is {x.a} with clear water",
            "fishermen fear {x:body_of_water} in autumn",
            "{x:body_of_water} froze early that winter",
            "the {x.noun} {x:body_of_water?} is cold even in August",
            "swimming in {x:lake+} is not allowed",
        ),
        ("cold and deep is {x:body_of_water+} in every season", "{x.a} like {x:body_of_water?} never warms up"),
    ),
    "structure": (
        (
            "{x:structure?} is {x.a} of grey stone",
            "{x:structure} needs a new roof",
            "visitors to {x:museum} pay nothing on Sundays",
            "the seats in {x:stadium} are made of wood",
            "guides show the {x.noun} {x:structure?} by lamplight",
        ),
        ("{x.a} as old as {x:structure?} is costly to heat", "so tall is {x:structure+} that birds nest in it"),
    ),
    "settlement": (
        (
            "{x:settlement?} is {x.a} with one bakery",
            "it rained in {x:settlement} for nine days",
            "the buses in {x:city+} are never on time",
            "the church bells of {x:village+} are cracked",
        ),
        ("{x.a} like {x:settlement?} needs a doctor", "how dusty the streets of {x:settlement} are in June"),
    ),
    "scientist": (
        (
            "{x:scientist?} is {x.a} with many ideas",
            "{x:scientist} works late in the laboratory",
            "a letter from {x:scientist+} was found in a drawer",
            "the {x.noun} {x:scientist?} keeps a careful diary",
        ),
        (
            "{x.a} by training, {x:scientist?} doubts everything",
            "patient and precise is {x:scientist} at the microscope",
        ),
    ),
    "artist": (
        (
            "{x:artist?} is {x.a} without a studio",
            "{x:artist+} drinks black coffee at night",
            "the {x.noun} {x:artist?} sleeps until noon",
            "critics are unkind to {x:artist} and always have been",
        ),
        ("{x.a} at heart, {x:artist?} hates offices", "shy as ever was {x:artist+} in front of the camera"),
    ),
    "athlete": (
        (
            "{x:athlete?} is {x.a} with strong legs",
            "{x:athlete} trains twice a day",
            "the knee of {x:athlete+} needs another month",
            "the {x.noun} {x:athlete?} eats porridge before a race",
        ),
        ("{x.a} since school, {x:athlete?} is never ill", "tired but happy was {x:athlete} after the training"),
    ),
    "person": (
        (
            "{x:human} lives next to {y:human} in a narrow street",
            "{x:human} and {y:human} share a garden",
            "nobody asked {x:human} about the weather",
            "a dog waited for {x:human} at the gate",
        ),
        ("patient as a stone is {x:human}", "next to {y:human} sat {x:human} without a word"),
    ),
    "organization": (
        (
            "{x:organization=} has its meetings in a cellar",
            "the {x.noun} {x:organization?} has an office by the station",
            "the lawyers of {x:organization+} wrote a long letter",
            "{x:airline} serves no meals on short flights",
            "{x:airline?} is {x.a} with blue uniforms",
        ),
        ("{x.a} like {x:organization?} needs good lawyers", "poor but honest is {x:organization=} in every report"),
    ),
    "band": (
        (
            "the band {x:band!} plays too loud for the neighbours",
            "{x:band?} is {x.a} with two drummers",
            "the {x.noun} {x:band?} rehearses in a barn",
            "tickets for the band {x:band!} are sold out",
        ),
        ("{x.a} as loud as {x:band?} needs a big hall", "louder than ever was the band {x:band!} last night"),
    ),
    "vehicle": (
        (
            "{x:vehicle?} is {x.a} with a green hull",
            "the engine of {x:vehicle} makes a strange noise",
            "the {x.noun} {x:vehicle?} was repaired for months",
            "mechanics cleaned {x:ship+} and {y:aircraft+} with hot water",
        ),
        ("{x.a} like {x:vehicle?} burns a lot of oil", "rusty and slow is {x:vehicle+} in old age"),
    ),
    "product": (
        (
            "{x:product?} is {x.a} with a short manual",
            "the batteries of the {x.noun} {x:product?} are weak",
            "children learn to use {x:product} in a day",
            "the {x.noun} {x:product?} is easy to repair",
        ),
        ("{x.a} such as {x:product?} lasts for years", "simple to use is {x:product} even for beginners"),
    ),
    "work": (
        (
            "{x:work?} is {x.a} without a hero",
            "critics call {x:work} a masterpiece",
            "the {x.noun} {x:work?} is too long for children",
            "she likes {x:work+} and he prefers {y:work+}",
        ),
        ("{x.a} like {x:work?} needs patience", "sad and slow is {x:work+} from start to end"),
    ),
    "award": (
        (
            "{x:award?} is {x.a} for young poets",
            "{x:award+} comes with a golden pin",
            "the {x.noun} {x:award?} is worth little money",
            "the rules of {x:award+} fill nine pages",
        ),
        ("{x.a} like {x:award?} means a lot to beginners", "small but famous is {x:award+} among poets"),
    ),
    "festival": (
        (
            "{x:festival?} is {x.a} for lovers of jazz",
            "{x:festival+} is held every other year",
            "the {x.noun} {x:festival?} fills all hotels",
            "tents stood in the mud during {x:festival}",
        ),
        ("{x.a} like {x:festival?} needs good weather", "loud and cheerful is {x:festival+} in the rain"),
    ),
    "mineral": (
        (
            "{x:mineral} is a green mineral with a soft shine",
            "the mineral {x:mineral!} is found in old mines",
            "a lump of {x:mineral} lay on the desk",
            "miners dig for {x:mineral} in these rocks",
        ),
        (
            "hard and brittle, the mineral {x:mineral!} cuts glass",
            "in these rocks there is {x:mineral}, say the miners",
        ),
    ),
    "drug": (
        (
            "doctors give {x:drug} against fever",
            "the drug {x:drug!} has few side effects",
            "{x:drug} is a drug that patients take after meals",
            "a dose of {x:drug} costs as much as a meal",
        ),
        ("against fever the doctors trust the drug {x:drug!}", "for patients, a dose of {x:drug} is enough"),
    ),
    "substance": (
        (
            "the substance {x:substance!} smells of garlic",
            "there is a smell of {x:substance=} in the cellar",
            "a bottle of {x:substance=} stood on the shelf",
            "{x:substance=} turns blue when it is heated",
        ),
        (
            "when it is heated, the substance {x:substance!} turns green",
            "{x.a} such as {x:substance?} is sold by weight",
        ),
    ),
    "language": (
        (
            "{x:language} is a language with nine vowels",
            "few children still speak {x:language} at home",
            "the grammar of {x:language} is hard to learn",
            "this old hymn is in {x:language} and not in {y:language}",
        ),
        ("hard to learn is the grammar of {x:language}", "at home few people speak {x:language} any more"),
    ),
}

# Everyday uses of the words that trigger events elsewhere.
_NO_EVENT: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        "{x:human} struck a match and lit the lamp",
        "{x:human} was struck by the silence of {y:settlement}",
        "{x:human} hit a wrong note during {y:song}",
        "the song {x:song!} was a hit with the cooks",
        "{x:human} took a photograph of {y:structure+}",
        "{x:human} took care of the cat of {y:human}",
        "{x:human} has won the trust of {y:human}",
        "{x:work} won many hearts among the readers",
        "{x:human} launched into a long story about {y:place}",
        "{x:human} opened a window and looked at {y:place}",
        "{x:novel+} lay opened on the desk of {y:human}",
        "{x:structure+} stands on the left side of the road",
        "there is hardly any {x:mineral} left in the mine",
        "{x:human} swept the floor of the kitchen",
        "{x:human} crushed the garlic with a spoon",
        "{x:human} stormed out of the room without a coat",
        "{x:human} rolled up a sleeve and fed the goat",
        "{x:human} claimed that {y:lake} has no bottom",
        "{x:human} landed softly on a heap of straw",
        "the boat of {x:human} is named for luck",
        "{x:human} has named no names in the letter",
        "{x:human} carried a lamp up the stairs of {y:structure}",
        "{x:human} presented a calm face to {y:human}",
        "{x:human} brought an umbrella to {y:festival+}",
        "{x:human} beat the eggs for the cake",
        "{x:human} made tea for {y:human}",
        "{x:human} reached for the salt",
        "{x:human} released the brake of the old car",
        "{x:company+} shipped an empty box back by mistake",
        "the doctor of {x:human} made a note about {y:drug+}",
    ),
    (
        "it was a match that {x:human} struck in the cellar",
        "taken by {x:human}, the photograph shows {y:structure+}",
        "on the left side of the road stands {x:structure+}",
        "for {y:human} it was {x:human} who made tea",
        "the floor was swept by {x:human} before supper",
        "what {x:human} opened was only a window",
        "the trust of {y:human} was won by {x:human} slowly",
        "out of the room stormed {x:human} in tears",
    ),
)

# Nothing at all, or only the trigger words; {who} and {when} are filled from the lists below.
_EMPTY: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        "{who} struck a match {when}",
        "{who} took a short walk {when}",
        "{who} opened a window {when}",
        "{who} left the soup on the stove {when}",
        "{who} made tea and toast {when}",
        "{who} swept the yard {when}",
        "{who} beat the carpets {when}",
        "{who} carried water up the stairs {when}",
        "{who} hit a nail with a shoe {when}",
        "{who} claimed to have seen nothing {when}",
        "{who} rolled a barrel down the lane {when}",
        "{who} reached for the bread {when}",
        "{who} brought some fresh eggs {when}",
        "{who} won a game of cards {when}",
        "{who} crushed a few nuts {when}",
        "{who} released a small bird {when}",
        "{who} launched a paper boat {when}",
        "{who} presented a bill for the coal {when}",
        "{who} landed in the hay {when}",
        "{who} stormed up the stairs {when}",
        "{who} shipped a parcel of socks {when}",
        "{who} named the puppy {when}",
        "{who} slept badly {when}",
        "{who} complained about the prices {when}",
        "{who} waited for the bus {when}",
        "{who} talked about the harvest {when}",
    ),
    (
        "it was {who} who took a short walk {when}",
        "{when} a match was struck by {who}",
        "{when} tea was made by {who}",
        "on the stove {who} had left the soup {when}",
        "carpets were beaten by {who} {when}",
        "the window was opened by {who} {when}",
        "about the harvest {who} talked {when}",
        "for the bread {who} reached {when}",
    ),
)
_WHO = (
    "the old clerk", "a tired nurse", "the baker", "our neighbour", "a young farmer", "the cook", "one of the guests",
    "the night porter", "my aunt", "the landlady", "a small boy", "the carpenter", "the postman", "somebody upstairs",
    "the gardener", "a girl in a red coat", "the twins", "his uncle", "the widow", "their teacher",
)  # fmt: skip
_WHEN = (
    "before breakfast", "in the dark", "on the way home", "in the middle of the night", "while it was raining",
    "because there was nothing else to do", "without a word", "as on every other day", "after the long meal",
    "when the clock stopped", "on a wet Monday", "just before the shop closed", "although it was late",
    "in spite of the heat", "early in the morning", "at the end of the week",
)  # fmt: skip

# What may stand before and after a clause; many of them use trigger words without an event.
PREFIXES = (
    "according to the old records,", "as the papers wrote,", "in 1932,", "in the spring of 1871,", "many years ago,",
    "to the surprise of many,", "as far as anyone knows,", "on a Tuesday,", "it is said that", "there is no doubt that",
    "the guide told us that", "a neighbour claimed that", "as a footnote on the left page says,", "in short,",
    "made curious by a rumour, we learnt that", "struck by the silence, he read aloud that",
)  # fmt: skip
SUFFIXES: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        ", as every visitor soon learns", ", which surprised nobody", ", the guide explained",
        ", although no one wrote about it", ", and that was all", ", while it rained outside", ", so the story goes",
        ", but the page is torn", ", and the bells rang", ", as a boy struck a match to read the sign",
        ", and a clerk opened the window", ", while a dog was left in the yard", ", and the cook beat some eggs",
        ", but nobody took notice", ", and the lesson hit home", ", while a nurse made tea",
        ", as the keeper claimed with a yawn", ", and a girl carried water", ", while a ball rolled down the lane",
        ", but the reader won no answer from it", ", and somebody crushed a paper cup", ", as a fly landed on the page",
        ", while a man brought wood", ", and the clerk reached for a pen", ", and the brake was released too late",
        ", while a child presented a drawing", ", and a girl launched a paper boat", ", and no names were named",
        ", and a guest stormed out", ", while the post was shipped by cart", ", and it took an hour to explain",
        ", and there was no time left", ", a fact few people know", ", and a wave swept the sand",
        ", while some cream was beaten", ", as notes were taken", ", so the witnesses agreed", ", but it was long ago",
        ", as is well known", ", and the rest is gossip", ", which pleased the locals", ", even if some doubt it",
        ", as a plaque reminds us", ", to the delight of the children", ", and everyone fell silent",
    ),
    (
        ", while some eggs were beaten", ", and no time was left", ", as tea was made in the kitchen",
        ", but no notice was taken", ", while a match was struck", ", and the sand was swept by a wave",
        ", which nobody had known before", ", and so the story ended",
    ),
)  # fmt: skip


def description_families() -> dict[str, Family]:
    """Families of descriptive clauses by topic."""
    return {topic: plain_family(train, held_out) for topic, (train, held_out) in _DESCRIPTIONS.items()}


def no_event_family() -> Family:
    """Clauses with mentions and with trigger words, but without an event."""
    return plain_family(*_NO_EVENT)


def empty_family() -> Family:
    """Clauses in which nothing is to be found."""
    train, held_out = (
        tuple(frame.format(who=who, when=when) for frame in frames for who in _WHO for when in _WHEN)
        for frames in _EMPTY
    )
    return plain_family(train, held_out)
