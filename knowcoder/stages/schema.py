"""`schema`."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from knowcoder import artefact, config, jsonl
from knowcoder.errors import DataError
from knowcoder.stages.shared import checked_inputs, facts_of, in_words, need, progress

if TYPE_CHECKING:
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.source import SchemaSource

_SHARDS = "shards"  # what was read of a dump so far; gone when the library is whole
_SHOWN = 5  # renamed types named on the screen; the file has them all


def schema(settings: config.SchemaConfig) -> None:
    """Read a schema library from a source, or show what a library holds."""
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.overview import statistics
    from knowcoder.schema.package import write_package
    from knowcoder.schema.source import merge

    inputs = checked_inputs(settings)
    if settings.show or settings.stats:
        need(settings, "schema")
        library = SchemaLibrary.load(settings.schema)
        print(_shown(library, settings.show) if settings.show else statistics(library))
        return
    need(settings, "output")
    make = artefact.working if settings.source == "wikidata" else artefact.writing
    with make(settings.output, "schema", settings, inputs) as output:
        source = _read_source(settings, output.directory)
        merge(source, *map(SchemaLibrary.load, settings.merge))
        library = source.library()
        if not library:
            raise DataError(f"input={settings.input}: holds no type; look at source={settings.source} and the file")
        if settings.only_for:
            library = _offered(library, settings.only_for)
        library.save(output.directory)
        write_package(library, output.directory)
        for name, lines in (("rejects", source.rejects), ("renamed", source.renamed), ("facts", source.facts)):
            if lines:
                jsonl.write(output.directory / f"{name}.jsonl", lines)
        rejected = Counter(reject.reason for reject in source.rejects)
        output.manifest.counts = artefact.Counts(source.read, source.read - rejected.total(), dict(rejected))
        output.manifest.facts = facts_of(library) | {"source": dict(source.counts)}
        shutil.rmtree(output.directory / _SHARDS, ignore_errors=True)
    print(f"{settings.output}: {in_words(facts_of(library))} types")
    _report(source, Path(settings.output))


def _report(source: SchemaSource, folder: Path) -> None:
    """Say what was renamed and what was left out, and where all of it stands."""
    if source.renamed:
        shown = ", ".join(f"{found.old} -> {found.new} ({found.id})" for found in source.renamed[:_SHOWN])
        more = f" and {len(source.renamed) - _SHOWN:,} more" if len(source.renamed) > _SHOWN else ""
        print(f"renamed: {shown}{more}; all in {folder / 'renamed.jsonl'}")
    for reason, number in Counter(reject.reason for reject in source.rejects).most_common():
        print(f"left out: {number:,} {reason}; see {folder / 'rejects.jsonl'}")


def _offered(library: SchemaLibrary, corpora: Iterable[str]) -> SchemaLibrary:
    """The part of a library that the label sets of corpora need."""
    from knowcoder.corpus.reading import load_labels

    labels = [offered for corpus in corpora for offered in load_labels(corpus).values()]
    return library.subset(name for offered in labels for name in offered.entities + offered.relations + offered.events)


def _read_source(settings: config.SchemaConfig, output: Path) -> SchemaSource:
    from knowcoder.corpus.benchmark import schema_of_all
    from knowcoder.schema import json_source, kgtk, python_source
    from knowcoder.schema.source import SchemaSource, statements

    if settings.benchmark:
        concepts = schema_of_all(settings.benchmark, settings.input)
        return SchemaSource(concepts, statements(concepts))
    need(settings, "input")
    if settings.source == "python":
        return python_source.read_python_files(settings.input)
    if settings.source == "json":
        return json_source.read_json(settings.input)
    if settings.source == "kgtk":
        return kgtk.read_kgtk(settings.input, settings.language)
    return _read_dump(settings, output)


def _read_dump(settings: config.SchemaConfig, output: Path) -> SchemaSource:
    from knowcoder.schema import wikidata
    from knowcoder.schema.choice import Choice, read_ids, types_in_facts

    choice = Choice(
        read_ids(settings.ids) if settings.ids else None,
        types_in_facts(settings.facts) if settings.facts else None,
        settings.min_instances,
        settings.min_role,
    )
    languages = (settings.language, *settings.other_languages)
    shards = wikidata.digest(settings.input, output / _SHARDS, languages=languages, workers=settings.workers)
    for _ in progress(shards, "dump", "blocks"):
        pass
    return wikidata.merge(settings.input, output, output / _SHARDS, choice)


def _shown(library: SchemaLibrary, text: str) -> str:
    """Every type of a name, id, label or alias: its place in the taxonomy, then its code."""
    from knowcoder.codec.prompt import definitions
    from knowcoder.schema.overview import found, place_of
    from knowcoder.schema.render import Style

    blocks = []
    for concept in found(library, text):
        place = "".join(f"# {line}\n" for line in place_of(concept, library).split("\n"))
        blocks.append(place + definitions([concept.name], library, Style(methods=True)))
    return "\n\n".join(blocks)
