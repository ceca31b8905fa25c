"""Profiles: by which rules the numbers of papers were made, for columns that can stand beside those numbers.

What a profile measures is not comparable with ``strict``, nor one profile with another. Matching stays one to one
in all of them.
"""

from __future__ import annotations

from knowcoder.score.relax import Profile

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "knowcoder-paper",
            {
                "NER": ("text_filter", "superclass", "type_filter"),
                "RE": ("text_filter", "no_reflexive", "type_filter"),
                "ED": ("text_filter", "coarse"),
                "EAE": ("no_trigger", "type_filter"),
            },
            "Li et al., KnowCoder, ACL 2024, section 4 and appendices G and J; ICT-GoKnow/KnowCoder, eval/src",
            "The published code filters types before it looks at ancestors, which the paper does the other way "
            "round, as here; it counts a right answer every time that it is repeated; it compares ED on ACE 2005 by 8 "
            "coarse classes, which need coarse=configs/coarse/ace05-ee.json; and its test sets are samples.",
        ),
        Profile(
            "gollie",
            {
                "NER": ("as_often_as_said", "letter_case", "type_filter"),
                "RE": ("as_often_as_said", "type_filter"),
                "ED": ("as_often_as_said", "type_filter"),
                "EAE": ("as_often_as_said", "type_filter"),
            },
            "Sainz et al., GoLLIE, ICLR 2024; hitz-zentroa/GoLLIE, src/tasks/utils_scorer.py and utils_typing.py",
            "There, values (dates, numbers) are compared with their case, and an answer that does not run as "
            "Python counts as empty.",
        ),
        Profile(
            "uniner",
            {"NER": ("normalized_text", "distinct")},
            "Zhou et al., UniversalNER, ICLR 2024; universal-ner/universal-ner, src/eval/evaluate.py",
            "There, each class is asked for alone, so that no class is ever unknown.",
        ),
        Profile(
            "iepile",
            {"NER": (), "RE": (), "ED": (), "EAE": ("no_trigger",)},
            "Gui et al., IEPile, ACL 2024; zjunlp/IEPile, ie2instruction/eval_func.py with match_mode=normal",
            "There, precision and recall are rounded to two decimals before F1 is taken of them.",
        ),
    )
}
