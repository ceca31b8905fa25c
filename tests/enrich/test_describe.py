"""Descriptions by a language model: what is asked, what becomes of answers, and what of everything that goes wrong."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder import artefact, config, stages
from knowcoder.corpus.reading import Corpus
from knowcoder.enrich.describe import FAILURES_IN_A_ROW, LONGEST, Cache, clean, describe, prompt_of
from knowcoder.errors import ConfigError, ModelError
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.python_source import read_python
from knowcoder.schema.render import library_source
from knowcoder.schema.source import unite
from knowcoder.server import Server, Unanswered, _retry_after
from tests.enrich.openai_server import Reply, serving, text

LIBRARY = SchemaLibrary(
    (
        EntityType(id="place", name="Place", description="Where something is."),
        EntityType(id="city", name="City", label="city", aliases=("town", "burg"), parent="place", examples=("Rome",)),
    ),
    (RelationType(id="in", name="LivesIn", head=("city",), tail=("city", "place"), examples=(("Al", "Rome"),)),),
    (EventType(id="move", name="Move", roles=(Role(name="start_place"), Role(name="end_place"))),),
)
NEW = ("City", "LivesIn", "Move")
MANY = SchemaLibrary(tuple(EntityType(id=f"t{n}", name=f"T{n}") for n in range(5 * FAILURES_IN_A_ROW)))


def asking(url: str, **changes: object) -> Server:
    return Server(url, "small", **{"retries": 2, "pause": 0.01, "timeout": 5} | changes)  # type: ignore[arg-type]


def test_the_prompt_says_what_the_library_knows() -> None:
    city, lives, move = (prompt_of(LIBRARY.by_name(name), LIBRARY).splitlines()[1:] for name in NEW)
    assert city == ["Type: city", "Also called: town, burg", "Kind of: Place", "Examples: Rome", "Definition:"]
    assert lives == ["Type: Lives In", "Head: city", "Tail: city or Place", "Examples: (Al, Rome)", "Definition:"]
    assert move == ["Type: Move", "Roles: start place, end place", "Definition:"]


@pytest.mark.parametrize("api", ["chat", "completion"])
def test_only_what_is_missing_is_asked_once_and_marked(api: str, tmp_path: Path) -> None:
    with serving(lambda prompt, _: text(f'"A {prompt.split("Type: ")[1].split()[0]}.\n "')) as scripted:
        with asking(scripted.url, api=api, key="secret") as server:
            richer, made = describe(LIBRARY, server, Cache(tmp_path / "answers.jsonl"))
        assert [(c.description, c.described_by) for c in richer] == [
            ("Where something is.", ""),
            ("A city.", "small"),
            ("A Lives.", "small"),
            ("A Move.", "small"),
        ]
        assert (made.asked, made.cached, made.failed.total()) == (3, 0, 0)
        assert {path for path, _, _ in scripted.asked} == {
            "/v1/chat/completions" if api == "chat" else "/v1/completions"
        }
        assert all(headers["Authorization"] == "Bearer secret" for _, headers, _ in scripted.asked)
        with asking(scripted.url, api=api) as server:
            again, made = describe(LIBRARY, server, Cache(tmp_path / "answers.jsonl"))
        assert (again, made.asked, made.cached, len(scripted.asked)) == (richer, 0, 3, 3)


def test_who_wrote_a_description_survives_files_and_merging(tmp_path: Path) -> None:
    with serving(lambda *_: text("Something.")) as scripted, asking(scripted.url) as server:
        richer, _ = describe(LIBRARY, server, Cache(tmp_path / "answers.jsonl"))
    richer.save(tmp_path)
    assert SchemaLibrary.load(tmp_path) == richer
    assert unite([*LIBRARY, *richer]) == list(richer)
    assert [c.described_by for c in unite([*richer, *LIBRARY])] == ["", "small", "small", "small"]
    assert [c.description for c in read_python(library_source(richer))] == [c.description for c in richer]


def test_what_gets_no_answer_stays_without_and_is_asked_again(tmp_path: Path) -> None:
    bad: dict[str, Reply] = {
        "City": (200, {}, b"<html>hello</html>"),
        "LivesIn": text(" \u200b... "),
        "Move": (400, {}, b'{"error": {"message": "too long"}}'),
    }
    by_prompt = {prompt_of(LIBRARY.by_name(name), LIBRARY): name for name in NEW}
    with serving(lambda prompt, _: bad[by_prompt[prompt]]) as scripted:
        with asking(scripted.url) as server:
            richer, made = describe(LIBRARY, server, Cache(tmp_path / "answers.jsonl"))
        assert richer == LIBRARY
        assert made.failed == {
            "the answer is not what an OpenAI-compatible server sends": 1,
            "an empty answer": 1,
            "400 Bad Request": 1,
        }
        assert len(scripted.asked) == 3
        bad.update({name: text("Mended.") for name in NEW})
        with asking(scripted.url) as server:
            richer, made = describe(LIBRARY, server, Cache(tmp_path / "answers.jsonl"))
    assert [c.description for c in richer][1:] == ["Mended."] * 3
    assert not made.failed


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_or_broken_server_is_asked_again(status: int) -> None:
    def reply(_: str, before: int) -> Reply:
        return (status, {"Retry-After": "0"}, b"busy") if before < 2 else text("At last.")

    with serving(reply) as scripted, asking(scripted.url) as server:
        assert server.ask("Type: a") == "At last."
        assert len(scripted.asked) == 3
    with serving(lambda *_: (status, {}, b"busy")) as scripted, asking(scripted.url) as server:
        with pytest.raises(Unanswered, match=f"{status} .*, again and again: busy"):
            server.ask("Type: a")
        assert len(scripted.asked) == 3


def test_a_server_is_left_alone_for_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def reply(_: str, before: int) -> Reply:
        return (429, {"Retry-After": "7"}, b"") if before < 2 else text("Yes.")

    with serving(reply) as scripted, asking(scripted.url) as server:
        monkeypatch.setattr(server._closed, "wait", waited.append)
        server.ask("Type: a")
    assert waited == [7, 7]


def test_every_form_of_retry_after() -> None:
    import httpx2

    def wait(said: str) -> float | None:
        return _retry_after(httpx2.Response(429, headers={"Retry-After": said}))

    soon = wait(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert soon is not None
    assert 55 < soon <= 60
    assert (wait("3"), wait("1e9"), wait("-1"), wait("soon"), wait("nan"), wait("")) == (3, 120, 0, None, None, None)
    assert wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "set OPENAI_API_KEY"), (403, "set OPENAI_API_KEY"), (404, "describe.model")]
)
def test_a_refusal_of_all_prompts_ends_the_run_at_once_without_telling_the_key(
    status: int, remedy: str, tmp_path: Path
) -> None:
    def reply(*_: object) -> Reply:
        return status, {}, b'{"error": "wrong key s3cret"}'

    refused = pytest.raises(ModelError, match=remedy)
    with serving(reply) as scripted, asking(scripted.url, key="s3cret") as server, refused as error:
        describe(MANY, server, Cache(tmp_path / "a"), concurrency=1)
    assert str(status) in str(error.value)
    assert "s3cret" not in str(error.value)
    assert len(scripted.asked) < 10


def test_a_server_that_is_away_is_an_error_and_what_it_answered_before_is_kept(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with asking(away) as server, pytest.raises(ModelError, match=r"cannot be reached .* start the server"):
        describe(LIBRARY, server, Cache(tmp_path / "a"))

    def reply(prompt: str, _: int) -> Reply:
        return text("A city.") if "city\nAlso" in prompt else (401, {}, b"no")

    with serving(reply) as scripted, asking(scripted.url) as server, pytest.raises(ModelError):
        describe(LIBRARY, server, Cache(tmp_path / "a"), concurrency=1)
    with serving(lambda *_: text("Other.")) as scripted, asking(scripted.url) as server:
        richer, made = describe(LIBRARY, server, Cache(tmp_path / "a"))
    assert (richer.entities[1].description, made.cached, made.asked) == ("A city.", 1, 2)


def test_a_server_that_only_fails_is_not_asked_for_ever(tmp_path: Path) -> None:
    with serving(lambda *_: text("")) as scripted, asking(scripted.url) as server:
        with pytest.raises(ModelError, match="20 prompts in a row got no answer, the last because: an empty answer"):
            describe(MANY, server, Cache(tmp_path / "a"), concurrency=2)
        assert len(scripted.asked) < 2 * FAILURES_IN_A_ROW


def test_a_half_written_line_of_the_cache_is_no_loss(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "a")
    cache.add("one", "1")
    cache.add("two", "2\n\u2028")
    whole = cache.path.read_bytes()
    for cut in range(len(whole)):
        cache.path.write_bytes(whole[:cut])
        Cache(cache.path).add("three", "3")
        again = Cache(cache.path)
        assert again.get("three") == "3"
        assert again.get("one") == (None if cut < whole.index(b"}") + 1 else "1")
    with pytest.raises(ConfigError, match=r"describe.cache=.*give a file that can be written"):
        Cache(tmp_path)


@pytest.mark.parametrize(
    "url",
    ["localhost:8000/v1", "", "file:///etc/passwd", "http://", "http://me:s3cret@host/v1", "http://h/v1?k=s3cret"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"describe\.url") as error:
        Server(url, "small")
    assert "s3cret" not in str(error.value)


def test_a_key_that_no_header_can_hold_is_refused_without_telling_it() -> None:
    for key in ("s3cret\nX: y", "s3cret\u20ac"):
        with pytest.raises(ConfigError, match="OPENAI_API_KEY") as error:
            Server("http://localhost/v1", "small", key=key)
        assert "s3cret" not in str(error.value)


@given(st.text(max_size=900))
def test_a_description_is_one_short_visible_line_or_nothing(answer: str) -> None:
    cleaned = clean(answer)
    assert len(cleaned) <= LONGEST
    assert cleaned.isprintable()
    assert cleaned == " ".join(cleaned.split())
    assert not cleaned or any(c.isalnum() for c in cleaned)
    assert clean(cleaned) in (cleaned, clean(clean(cleaned)))


@pytest.mark.parametrize(
    ("answer", "description"),
    [
        ("A large\n settlement.\n", "A large settlement."),
        ('Definition: "A large settlement."', "A large settlement."),
        ("**Description:** A town.", "A town."),
        ("<think>Hm, a town.</think>\n\nA town.", "A town."),
        ("A \u202etown\x00.", "A town."),
        ("One. " * 100, ("One. " * 60).strip()),
        ("word " * 100, ("word " * 60).strip()),
        ("x" * 400, "x" * LONGEST),
        ("...", ""),
    ],
)
def test_how_answers_are_cleaned(answer: str, description: str) -> None:
    assert clean(answer) == description


def test_the_stage_writes_no_key_and_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given_one = tmp_path / "schema"
    given_one.mkdir()
    LIBRARY.save(given_one)
    artefact.Manifest("schema", state="complete").save(given_one)
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    words = [f"schema={given_one}", f"output={tmp_path}/rich", "describe.retries=0"]

    def run(*more: str) -> None:
        stages.enrich(config.load("enrich", [*words, *more]))

    with pytest.raises(ConfigError, match="missing corpus="):
        run()
    with serving(lambda prompt, _: text("" if "Move" in prompt else "It is.")) as scripted:
        with pytest.raises(ConfigError, match=r"missing describe\.model="):
            run(f"describe.url={scripted.url}")
        run(f"describe.url={scripted.url}", "describe.model=small")
        assert "2 descriptions, 0 from the cache, 1 without an answer" in capsys.readouterr().out
        run(f"describe.url={scripted.url}", "describe.model=small", "overwrite=true")
        assert "2 descriptions, 2 from the cache, 1 without an answer" in capsys.readouterr().out
        assert [headers["Authorization"] for _, headers, _ in scripted.asked] == ["Bearer s3cret"] * 4
    assert [c.described_by for c in SchemaLibrary.load(tmp_path / "rich")] == ["", "small", "small", ""]
    manifest = artefact.read_manifest(tmp_path / "rich")
    assert manifest is not None
    assert manifest.facts["unanswered"] == {"an empty answer": 1}
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()]


def test_a_killed_run_has_kept_what_was_answered_and_the_next_asks_only_for_the_rest(tmp_path: Path) -> None:
    given_one = tmp_path / "schema"
    given_one.mkdir()
    MANY.save(given_one)
    artefact.Manifest("schema", state="complete").save(given_one)
    half, gate = len(MANY) // 2, threading.Event()
    replies = itertools.count(1)

    def reply(prompt: str, _: int) -> Reply:
        if next(replies) > half:
            gate.wait(30)
        return text(f"It is {prompt.splitlines()[1]}.")

    with serving(reply) as scripted:
        command = [sys.executable, "-m", "knowcoder.cli", "enrich", f"schema={given_one}", f"output={tmp_path}/rich"]
        command += [f"describe.url={scripted.url}", "describe.model=small", "describe.concurrency=4"]
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        answers = tmp_path / "rich.answers.jsonl"
        for _ in range(600):
            if answers.exists() and answers.read_bytes().count(b'"key"') >= half:
                break
            assert run.poll() is None
            time.sleep(0.05)
        run.kill()
        run.wait()
        gate.set()
        assert not (tmp_path / "rich").exists()
        before = len(scripted.asked)
        assert half <= before <= half + 4
        subprocess.run(command, check=True, capture_output=True)
        assert len(scripted.asked) - before == len(MANY) - half
    assert [c.description for c in SchemaLibrary.load(tmp_path / "rich")] == [f"It is Type: {c.name}." for c in MANY]


def test_a_corpus_that_would_keep_nothing_out_is_refused(tmp_path: Path) -> None:
    for name, kind in (("schema", "schema"), ("corpus", "corpus")):
        (tmp_path / name).mkdir()
        artefact.Manifest(kind, state="complete").save(tmp_path / name)
    LIBRARY.save(tmp_path / "schema")
    Corpus({"train": []}, {}).save(tmp_path / "corpus")
    words = [f"schema={tmp_path}/schema", f"corpus={tmp_path}/corpus", f"exclude=[{tmp_path}/corpus]"]
    with pytest.raises(ConfigError, match="neither dev nor test split"):
        stages.enrich(config.load("enrich", [*words, f"output={tmp_path}/rich"]))
