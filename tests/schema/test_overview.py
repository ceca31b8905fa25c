"""What a library holds is counted, and a type is shown where it stands, by whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder import artefact, cli
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.overview import place_of, statistics

LIBRARY = SchemaLibrary(
    (
        EntityType(id="Q1", name="Place", label="place", description="Somewhere."),
        EntityType(id="Q2", name="City", label="city", parent="Q1", aliases=("Stadt", "город"), description="Big."),
        EntityType(id="Q3", name="Village", parent="Q1", parents=("Q2",)),
        EntityType(id="Q4", name="City_Q4", label="CITY", parent="Q2", examples=("London",)),
    ),
    (RelationType(id="P1", name="LiesIn", tail=("Q1",)),),
    (EventType(id="E1", name="Move", roles=(Role(name="goal", types=("Q1",)), Role(name="who"))),),
)


def test_statistics_by_kind_and_depth() -> None:
    assert statistics(LIBRARY).splitlines() == [
        "entity types: 4; 2 with a description, 2 without; 1 with examples; 1 with aliases",
        "  depth     types   described       not",
        "      0         1           1         0",
        "      1         2           1         1",
        "      2         1           0         1",
        "relation types: 1; 0 with a description, 1 without; 0 with examples; 0 with head types, 1 with tail types",
        "  depth     types   described       not",
        "      0         1           0         1",
        "event types: 1; 0 with a description, 1 without; 0 with examples; 2 roles, 1 with types",
        "  depth     types   described       not",
        "      0         1           0         1",
    ]


def test_the_place_of_a_type() -> None:
    assert place_of(LIBRARY.by_id("Q2"), LIBRARY).splitlines() == [
        "Place > City    id Q2, entity",
        "label: city; aliases: Stadt, город",
        "beside it: 1 types under Place",
        "below it: 1 types: City_Q4; 1 in all",
    ]
    assert place_of(LIBRARY.by_id("Q3"), LIBRARY).splitlines()[-1] == "further parents: City"
    assert "beside it: 0 types without a parent\nbelow it: 2 types: City, Village; 3 in all" in place_of(
        LIBRARY.by_id("Q1"), LIBRARY
    )


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("LiesIn", ["LiesIn"]), ("Q3", ["Village"]), ("ГОРОД", ["City"]), ("city", ["City", "City_Q4"])],
)
def test_a_type_is_shown_by_name_id_label_or_alias(
    asked: str, shown: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    LIBRARY.save(tmp_path)
    artefact.Manifest("schema", "complete").save(tmp_path)
    assert cli.main(["schema", f"show={asked}", f"schema={tmp_path}"]) == 0
    printed = capsys.readouterr().out
    assert [name for name in ("LiesIn", "Village", "City", "City_Q4") if f"class {name}(" in printed] == shown
    assert printed.count("# beside it: ") == len(shown)


def test_what_is_not_there_is_said_with_what_is_spelled_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    LIBRARY.save(tmp_path)
    artefact.Manifest("schema", "complete").save(tmp_path)
    assert cli.main(["schema", "show=Vilage", f"schema={tmp_path}"]) == 2
    assert "no type has the name, id, label or alias 'Vilage'; did you mean Village?" in capsys.readouterr().err
    assert cli.main(["schema", "stats=true", f"schema={tmp_path}"]) == 0
    assert capsys.readouterr().out == statistics(LIBRARY) + "\n"
