"""Column files: offsets point at the text, nothing is lost without a reason, both ways of reading agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.config.corpus import ColumnKeys
from knowcoder.corpus import columns
from knowcoder.corpus.column_arrays import ColumnArrays
from knowcoder.corpus.columns import read_columns
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.reading import Reading
from knowcoder.corpus.sentence import Mention
from knowcoder.corpus.tags import BadTag
from knowcoder.errors import DataError


def read(path: Path, keys: ColumnKeys) -> tuple[list[tuple[str, tuple[Mention, ...]]], Reading]:
    reading = Reading()
    classes = Classes({label: label for label in ("per", "loc", "x", "y", "B")})
    found = list(read_columns(path, keys, classes, reading))
    for text, mentions in found:
        assert all(text[mention.start : mention.end] == mention.text for mention in mentions)
    assert reading.kept == sum(len(mentions) for _, mentions in found)
    return found, reading


def test_layouts_are_a_matter_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "columns.txt"
    path.write_text("-DOCSTART- O\n\n1 B-per Ada\n2 I-per Lovelace\n \n1 O Hm\n-DOCSTART- O\n2 O Yes\n\n\n")
    found, reading = read(path, ColumnKeys(separator="", token=2, tags=[1]))
    assert [text for text, _ in found] == ["Ada Lovelace", "Hm", "Yes"]
    assert [mention.text for mention in found[0][1]] == ["Ada Lovelace"]
    assert (reading.texts, reading.kept) == (3, 1)


def test_characters_and_blank_tokens(tmp_path: Path) -> None:
    path = tmp_path / "characters.txt"
    path.write_text("北\tB-loc\n京\tI-loc\n \tO\n人\tO\n", encoding="utf-8")
    ((text, (mention,)),), _ = read(path, ColumnKeys(join=""))
    assert (text, mention) == ("北京 人", Mention("loc", "北京", 0, 2))


def test_what_is_malformed_is_rejected_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("a\tO\n\nb\tO\nc\n\nd\tX-y\n\n \tB-x\n\ne\tO\nf\tB-z\n")
    found, reading = read(path, ColumnKeys())
    assert [text for text, _ in found] == ["a", " ", "e f"]
    assert [(reject.line, reject.reason) for reject in reading.rejected] == [
        (4, "column missing"),
        (6, "tag is not BIO"),
        (8, "mention is blank"),
        (11, "label without a class"),
    ]
    assert (reading.texts, reading.texts_left_out) == (5, 2)


TOKEN = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="\t"), max_size=3)
SCHEMES = {"BIO": "BI", "IO": "I", "IOB1": "BI", "BILOU": "BILU", "BMES": "BMES", "BIOES": "BIES"}


@st.composite
def files(draw: st.DrawFn) -> tuple[str, ColumnKeys]:
    """The text of a file, most of whose lines have the same columns and tags of its scheme, and its layout."""
    scheme, width = draw(st.sampled_from(sorted(SCHEMES))), draw(st.integers(1, 2))
    tags = ["O", "O", "_", *(f"{prefix}-{label}" for prefix in SCHEMES[scheme] for label in "xy")]
    odd = draw(st.sampled_from([[], [], ["", "X-x", "a\tO"]]))
    line = st.tuples(*[TOKEN] * width, st.sampled_from(tags + odd)).map("\t".join)
    ends = st.sampled_from(["\n", "\n", "\n", "\n\n", "\n\n\n"])
    text = "".join(f"{row}{end}" for row, end in draw(st.lists(st.tuples(line, ends), min_size=1, max_size=8)))
    keys = ColumnKeys(
        token=draw(st.integers(-width - 1, width - 1)),
        tags=[draw(st.sampled_from([-1, width]))],
        scheme=scheme,
        join=draw(st.sampled_from([" ", "", "\u3001"])),
        token_suffix=draw(st.integers(0, 1)),
        mark="",
    )
    return text[: -draw(st.integers(1, 2))], keys


@given(files())
def test_arrays_say_what_reading_line_by_line_says(file: tuple[str, ColumnKeys]) -> None:
    """Or nothing at all, where lines differ in width, or something is to be rejected or perhaps blank."""
    text, keys = file
    found = ColumnArrays(keys, Classes({"x": "One", "y": "One"})).read(text)
    slow, reading = [], Reading()
    try:
        for numbers, block in columns._token_lines(text, 1, keys):
            slow.append(columns._read_slowly("f", numbers, block, keys, Classes({"x": "One", "y": "One"}), reading))
    except BadTag:
        assert found is None
        return
    if found is None:
        lines = [line.split("\t") for line in text.split("\n") if line]
        blank = any(not cell[: len(cell) - keys.token_suffix][:1].strip() for line in lines for cell in line)
        assert reading.rejected or blank or len({*map(len, lines)}) != 1
    else:
        assert found == (slow, reading.repaired)
        assert not reading.rejected


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_usual_layouts_are_read_as_arrays(scheme: str) -> None:
    tags = {"BIO": "BI", "IO": "II", "IOB1": "II", "BILOU": "BL", "BMES": "BE", "BIOES": "BE"}[scheme]
    text = f"1 a {tags[0]}-x .\n2 \u5317 {tags[1]}-x .\n\n\n1 c O .\n2 d O .\n3 e O .\n"
    keys = ColumnKeys(separator=" ", token=1, tags=[2], scheme=scheme)
    found = ColumnArrays(keys, Classes({"x": "One"})).read(text)
    assert found == ([("a \u5317", (Mention("One", "a \u5317", 0, 3),)), ("c d e", ())], 0)


def test_a_file_is_read_in_pieces_at_the_ends_of_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_CHUNK", 7)
    path = tmp_path / "pieces.txt"
    path.write_text("".join(f"{number}\tB-x\n\n" for number in range(50)) + "a\tB-none\nb\tO")
    found, reading = read(path, ColumnKeys())
    assert [text for text, _ in found] == [*map(str, range(50)), "a b"]
    assert [reject.line for reject in reading.rejected] == [101]


def test_a_comment_within_a_sentence_moves_no_line_number(tmp_path: Path) -> None:
    path = tmp_path / "comments.txt"
    path.write_text("# first\na\tB-x\n# second\nb\tB-left\n\nc\tO\n# third\nd\n")
    _, reading = read(path, ColumnKeys(comment="# "))
    assert [(reject.line, reject.reason) for reject in reading.rejected] == [
        (4, "label without a class"),
        (8, "column missing"),
    ]


@given(
    st.lists(st.lists(st.tuples(TOKEN.filter(str.strip), st.sampled_from(["O", "B-x", "B-y"])), min_size=1), max_size=5)
)
def test_any_tokens_come_back(tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]]) -> None:
    path = tmp_path_factory.mktemp("columns") / "file"
    path.write_text(
        "\n".join("".join(f"{token}\t{tag}\n" for token, tag in rows) for rows in sentences), encoding="utf-8"
    )
    found, reading = read(path, ColumnKeys(mark=""))
    assert [text for text, _ in found] == [" ".join(token for token, _ in rows) for rows in sentences]
    tagged = [token for rows in sentences for token, tag in rows if tag != "O"]
    assert [mention.text for _, mentions in found for mention in mentions] == tagged
    assert not reading.rejected


def test_a_row_too_short_is_named() -> None:
    with pytest.raises(BadTag, match="column missing"):
        columns._tagged("a\tb\tO\nc\td", ColumnKeys(tags=[2]))


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(b"a\tO\n\xff\tO\n")
    with pytest.raises(DataError, match="UTF-8"):
        read(path, ColumnKeys())
