"""The page: opened in a browser, it shows the numbers of metrics.json and the offsets of errors.jsonl."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder import jsonl
from knowcoder.corpus.sentence import Annotations, LabelSet, Mention, Relation, Sentence
from knowcoder.score.match import join
from knowcoder.score.metrics import Metrics, measure
from knowcoder.score.mistakes import Mistake, find_mistakes
from knowcoder.score.prediction import Prediction
from knowcoder.score.report import System, embed, render_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--dump-dom",
)


def _sentence(number: int) -> Sentence:
    text = f'𝔄da </script><b> met "Bo{number}" in Oslo & Rome'  # beyond 16 bits, and markup: both must survive
    bo = text.index(f"Bo{number}")
    mentions = (Mention("Human", "𝔄da", 0, 3), Mention("Human", f"Bo{number}", bo, bo + len(f"Bo{number}")))
    return Sentence(
        id=f"s{number}",
        text=text,
        source=("news", "web & more")[number % 2],
        tasks=("NER", "RE"),
        entities=mentions,
        relations=(Relation("Knows", *mentions),),
        group=("seen", "unseen")[number % 2],
    )


def _answers(sentence: Sentence) -> list[Prediction]:
    """Every third sentence lacks a mention, the others have one of the wrong class; relations stand reversed."""
    number = int(sentence.id[1:])
    entities = sentence.entities[: 1 if number % 3 else 2]
    wrong = Mention("City", sentence.entities[1].text) if number % 3 == 1 else Mention("City", "Oslo")
    reverse = tuple(Relation(r.type, r.tail, r.head) for r in sentence.relations)
    return [
        Prediction(id=sentence.id, task="NER", annotations=Annotations(entities=(*entities, wrong))),
        Prediction(id=sentence.id, task="RE", annotations=Annotations(relations=reverse), problems=("cut <off>",)),
    ]


def _system(size: int = 40) -> System:
    gold = [_sentence(number) for number in range(size)]
    labels = {s.source: LabelSet(entities=("City", "Human"), relations=("Knows",)) for s in gold}
    examples = join(gold, [answer for sentence in gold for answer in _answers(sentence)], labels)
    mistakes = find_mistakes(examples)
    return System("ours", measure(gold, examples, mistakes), mistakes)


def test_the_page_asks_nothing_of_the_network_and_escapes_what_it_shows() -> None:
    page = render_report([_system()], title="</title><script>alert(1)</script>", facts={"<i>": "a & b"})
    assert not re.search(r"""(?:src|href)=["'](?!#|data:,)|url\(|@import|https?://""", page)
    assert page.count("<script") == page.count("</script>") == 2
    assert "default-src 'none'" in page


def test_systems_stand_side_by_side_even_where_one_lacks_a_task() -> None:
    whole = _system()
    ner = replace(whole.metrics, tasks={"NER": whole.metrics.tasks["NER"]}, not_predicted=("RE",))
    page = render_report([whole, System("only names", ner)])
    assert "only names has no predictions for RE" in page


@given(st.text())
def test_embedded_json_is_the_value_and_holds_no_markup(text) -> None:
    embedded = embed({"text": text})
    assert not set(embedded) & set("<>&\u2028\u2029")
    assert json.loads(embedded) == {"text": text}


# -- in the browser --------------------------------------------------------------------------------------------------


class _Rows(HTMLParser):
    """What the browser drew: the count, and for each row its badge, its sentence and its marks."""

    def __init__(self, dom: str) -> None:
        super().__init__()
        self.count = -1
        self.rows: list[dict] = []
        self._inside: list[str] = []
        self.feed(dom)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given_ = dict(attrs)
        if given_.get("id") == "count":
            self.count = int(given_["data-count"] or -1)
        if tag == "li":
            self.rows.append({"kind": "", "text": "", "marks": []})
        if tag == "mark" and self.rows:
            place = (int(given_["data-start"] or -1), int(given_["data-end"] or -1))
            self.rows[-1]["marks"].append([(given_["class"] or "").split(), *place, ""])
        if tag in ("p", "b", "mark"):
            self._inside.append(given_.get("class") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "b", "mark"):
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.rows or not self._inside:
            return
        if self._inside[-1] == "b":
            self.rows[-1]["kind"] += data
        if "sentence" in self._inside:
            self.rows[-1]["text"] += data
            if self._inside[-1] != "sentence":
                self.rows[-1]["marks"][-1][3] += data


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Callable[..., _Rows]]:
    """A score folder, and what Chromium draws of its report under given filters."""
    if not CHROMIUM:
        assert not os.environ.get("CI"), "no chromium: in CI the report must be opened; apt-get install chromium"
        pytest.skip("no chromium on PATH: the report IS NOT OPENED in a browser; apt-get install chromium")
    folder = tmp_path_factory.mktemp("score")
    system = _system()
    jsonl.write_json(folder / "metrics.json", system.metrics)
    jsonl.write(folder / "errors.jsonl", system.mistakes)
    (folder / "report.html").write_text(render_report([system]), encoding="utf-8")

    def draw(**filters: str) -> _Rows:
        profile = tmp_path_factory.mktemp("profile")
        address = f"{(folder / 'report.html').as_uri()}#{urlencode(filters)}"
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", address]
        return _Rows(subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout)

    return folder, draw


def test_a_filter_shows_as_many_rows_as_metrics_json_counts(opened) -> None:
    folder, draw = opened
    metrics: Metrics = jsonl.read_json(folder / "metrics.json", Metrics)
    kinds = metrics.tasks["NER"].mistakes
    assert kinds.get("type", 0) > 5
    drawn = draw(task="NER", kind="type")
    assert drawn.count == len(drawn.rows) == kinds["type"]
    assert {row["kind"] for row in drawn.rows} == {"type"}
    assert draw(task="NER").count == sum(kinds.values())
    assert draw(kind="no such kind").count == 0


def test_filters_by_source_group_and_text_agree_with_errors_jsonl(opened) -> None:
    folder, draw = opened
    mistakes = list(jsonl.read(folder / "errors.jsonl", Mistake))
    drawn = draw(source="web & more", group="unseen", q="BO1")
    assert drawn.count == sum(m.source == "web & more" and "Bo1" in m.text for m in mistakes) > 0


def test_highlights_stand_at_the_offsets_of_errors_jsonl(opened) -> None:
    folder, draw = opened
    mistakes = [m for m in jsonl.read(folder / "errors.jsonl", Mistake) if m.task == "NER" and m.kind != "unparsable"]
    drawn = draw(task="NER")
    assert len(drawn.rows) == 25  # one page
    for row, mistake in zip(drawn.rows, mistakes, strict=False):
        assert (row["kind"], row["text"]) == (mistake.kind, mistake.text)
        for side, item in (("gold", mistake.gold), ("predicted", mistake.predicted)):
            marks = [(start, end, text) for sides, start, end, text in row["marks"] if side in sides]
            expected = [(part.start, part.end, part.text) for part in item.parts] if item else []
            assert marks == expected
