"""`schema`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from knowcoder import artefact, config, jsonl
from knowcoder.errors import DataError
from knowcoder.stages.shared import checked_inputs, facts_of, in_words, need

if TYPE_CHECKING:
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.source import SchemaSource


def schema(settings: config.SchemaConfig) -> None:
    """Read a schema library from a source, or show one of its types."""
    from knowcoder.corpus.benchmark import schema_of_all
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.source import SchemaSource, library_of, merge

    inputs = checked_inputs(settings)
    if settings.show:
        need(settings, "schema")
        print(_shown(SchemaLibrary.load(settings.schema), settings.show))
        return
    need(settings, "output")
    with artefact.writing(settings.output, "schema", settings, inputs) as output:
        source = SchemaSource(schema_of_all(settings.benchmark, settings.input))
        if not settings.benchmark:
            need(settings, "input")
            source = _read_source(settings)
        concepts, source.counts["renamed in merging"] = merge(source.concepts, *map(SchemaLibrary.load, settings.merge))
        library = library_of(concepts)
        if not library:
            raise DataError(f"input={settings.input}: holds no type; look at source={settings.source} and the file")
        if settings.only_for:
            library = _offered(library, settings.only_for)
        library.save(output.directory)
        if source.rejects:
            rejects = ({"reason": reason, "value": value} for reason, value in source.rejects)
            jsonl.write(output.directory / "rejects.jsonl", rejects)
        if source.facts:
            facts = ({"id": id, "types": types} for id, types in source.facts.items())
            jsonl.write(output.directory / "facts.jsonl", facts)
        output.manifest.facts = facts_of(library) | {"source": dict(source.counts)}
    print(f"{settings.output}: {in_words(facts_of(library))} types")


def _offered(library: SchemaLibrary, corpora: Iterable[str]) -> SchemaLibrary:
    """The part of a library that the label sets of corpora need."""
    from knowcoder.corpus.reading import load_labels

    labels = [offered for corpus in corpora for offered in load_labels(corpus).values()]
    return library.subset(name for offered in labels for name in offered.entities + offered.relations + offered.events)


def _read_source(settings: config.SchemaConfig) -> SchemaSource:
    from knowcoder.schema import json_source, kgtk, python_source, wikidata
    from knowcoder.schema.source import SchemaSource

    if settings.source == "python":
        return SchemaSource(list(python_source.read_python_files(settings.input)))
    if settings.source == "json":
        return json_source.read_json(settings.input)
    read = kgtk.read_kgtk if settings.source == "kgtk" else wikidata.read_wikidata
    return read(settings.input, settings.language)


def _shown(library: SchemaLibrary, name: str) -> str:
    """A type as code, with its place in the taxonomy."""
    from knowcoder.codec.prompt import definitions
    from knowcoder.schema.render import Style

    concept = library.by_name(name)
    path = [library.by_id(id).name for id in reversed(library.ancestors(concept.id))]
    return f"# {' > '.join([*path, name])}    id {concept.id}\n{definitions([name], library, Style())}"
