"""Keys of `corpus`: what to read, and how its files are laid out; a benchmark's YAML file says its layout in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowcoder.config.common import OutputConfig
from knowcoder.config.keys import Names, Numbers, key

SCHEMES = ("BIO", "IO", "IOB1", "BILOU", "BMES", "BIOES", "brackets")


@dataclass
class ColumnKeys:
    """Column files: one token a line, a blank line between sentences."""

    separator: str = key("\t", "what stands between columns; empty for any white space, which loses blank tokens")
    token: int = key(0, "column of the token, from 0; negative counts from the right", least=None)
    tags: list[int] = key([-1], "columns of the tags; several where entities are nested", least=None)
    scheme: str = key(
        "BIO", "how tags spell entities; IO also takes tags without a prefix; brackets: (X*, *, *)", choices=SCHEMES
    )
    join: str = key(" ", "what stood between tokens in the text; empty for files of characters")
    token_suffix: int = key(0, "characters to cut from the end of every token, such as a digit of segmentation")
    mark: str = key("-DOCSTART-", "a line that begins so ends a sentence and holds no token; empty for none")
    comment: str = key("", "a line that begins so is left out, such as '# '; empty for none")


@dataclass
class RecordKeys:
    """Files of records, each a text or a document: where the text stands, and what belongs to it as a whole."""

    container: str = key(
        "",
        "what holds the records: JSON or JSON lines, rows of cells, blocks of lines between blank lines, XML; "
        "empty: told by the file's name",
        choices=("", "json", "rows", "blocks", "xml"),
    )
    at: str = key("", "path of the records, where a file is one object that holds them; in XML the element's name")
    separator: str = key("\t", "rows and blocks: what stands between cells")
    header: bool = key(False, "rows: the first line names the cells; else they are numbered from 0")
    text: str = key("", "path of the text")
    tokens: str = key("", "path of the tokens, which offsets then count; with text too, they are sought in it")
    sentences: str = key("", "path of the sentences of a document, each a list of tokens, or of tokens and text")
    join: str = key(" ", "what stood between tokens that are given without a text")
    drop: str = key("", "regular expression of what is no part of the text, such as the quotation marks around it")
    markup: str = key(
        "", "the text has its mentions in tags, <x>so</x>; x is their id, or their type", choices=("", "ids", "types")
    )
    cut: str = key("", "cut a text at its lines, or at the ends of its sentences", choices=("", "lines", "sentences"))
    whole: bool = key(False, "keep a document's sentences together as one text")
    tags: str = key("", "path of a list with a tag for each token, for entities that are no list of spans")
    scheme: str = key("BIO", "how those tags spell entities", choices=SCHEMES)
    tag_names: Names = key([], "what the tags are called, where they are numbers")
    none: Names = key([], "labels and fillers that mean that there is nothing, such as no_relation")
    merge: bool = key(False, "records with the same text are one, for files with one triple a line")
    id: str = key("id", "field by which records are ordered for share")
    share: list[float] = key([0.0, 1.0], "the share of the records, from and to, in the order of their ids")
    document: str = key("", "what ends a document's name in an id; a cut into a document falls behind it")


@dataclass
class SpanKeys:
    """Fields of every span: the place of a mention. Without a start its text is sought."""

    start: str = key("start", "path of the start, from 0")
    end: str = key("end", "path of the end, where the text does not say it")
    text: str = key("text", "path of the mention's text")
    sentence: str = key("", "path of the number of the sentence in which its offsets count; else in the document")
    inclusive: bool = key(False, "the end belongs to the span")


@dataclass
class EntityKeys:
    """Where a record's entities stand, and their fields."""

    at: str = key("", "path of the entities")
    type: str = key("type", "path of the type")
    id: str = key("id", "path of the id by which relations and events may name an entity")
    clusters: bool = key(False, "a list within the list holds the mentions of one entity, which relations name")


@dataclass
class RelationKeys:
    """Where a record's relations stand, and their fields."""

    at: str = key("", "path of the relations; '.' where the record itself is one")
    type: str = key("type", "path of the type")
    head: str = key("head", "the head: path of a text, a span, an id or position of an entity; or START,END,TEXT paths")
    tail: str = key("tail", "the tail, likewise")
    head_type: str = key("", "path of the entity type of the head")
    tail_type: str = key("", "path of the entity type of the tail")
    head_id: str = key("", "path of the id that TYPES knows the head by, where the record says it")
    tail_id: str = key("", "path of the id that TYPES knows the tail by")
    pattern: str = key("", "regular expression that takes a relation in text apart into type, head and tail")
    qualifiers: str = key("", "path of roles and fillers beside the relation, which make it an event too")
    not_events: Names = key([], "roles beside a relation that keep it from being an event, such as point in time")
    quadruples: bool = key(False, "a list of four is head, tail, role and filler: it qualifies the relation of the two")


@dataclass
class EventKeys:
    """Where a record's events stand, and their fields."""

    at: str = key("", "path of the events; '.' where the record itself is one")
    type: str = key("type", "path of the type; empty where the arguments say it")
    trigger: str = key("trigger", "the trigger: a span or text, or START,END,TEXT paths; empty where there is none")
    arguments: str = key("arguments", "path of the arguments; '*' where every field that holds a span is one")
    role: str = key("role", "path of an argument's role")
    filler: str = key("", "the filler, like a head; empty where the argument is the span")
    filler_type: str = key("", "path of the entity type of the filler")
    pattern: str = key("", "regular expression that takes an argument in text apart into role, start, end, text")
    trigger_role: str = key("", "the role that is the trigger, where that stands among the arguments")


@dataclass
class DialogueKeys:
    """Instructions as a conversation: a text, then a question for each type and its answer."""

    turns: str = key("conversations", "path of the turns")
    said: str = key("value", "path of what is said in a turn")
    text: str = key(r"(?s)Text: (?P<text>.*)", "regular expression of the turn that gives the text")
    question: str = key(r"What describes (?P<type>.*) in the text\?", "regular expression of a question")


FORMATS = ("columns", "records", "brat", "dialogue")


@dataclass
class LayoutConfig:
    """How the files of a corpus are laid out."""

    format: str = key("columns", "family of format", choices=FORMATS)
    columns: ColumnKeys = field(default_factory=ColumnKeys)
    records: RecordKeys = field(default_factory=RecordKeys)
    spans: SpanKeys = field(default_factory=SpanKeys)
    entities: EntityKeys = field(default_factory=EntityKeys)
    relations: RelationKeys = field(default_factory=RelationKeys)
    events: EventKeys = field(default_factory=EventKeys)
    dialogue: DialogueKeys = field(default_factory=DialogueKeys)


@dataclass
class NamesKeys:
    """A file of entities as JSON lines, each with its id and what it is called."""

    file: str = key("", "the file; its names go before those of TYPES", foreign=True)
    id: str = key("id", "path of the id")
    name: str = key("name", "path of the name, or of a list with the name first")
    aliases: str = key("aliases", "path of other names")


@dataclass
class CorpusConfig(LayoutConfig, OutputConfig):
    output: str = key("", "folder to write; not needed where the stage only prints")
    benchmark: Names = key([], "names in configs/benchmark, or YAML files like those; without any, format says it")
    train_on_dev: Names = key([], "benchmarks whose development text becomes training text")
    keep_other: bool = key(True, "read the labels of benchmarks that mean none of the others, such as misc")
    input: str = key(
        "",
        "file, pattern of names, or folder with files or folders named after splits; or a corpus to draw from",
        kinds=("corpus",),
        foreign=True,
    )
    dataset: str = key("", "instead of input: a name for datasets.load_dataset, whose rows are records")
    subset: str = key("", "name of a part of that data set")
    source: str = key("corpus", "name of the data set, for what is no benchmark")
    language: str = key("en", "language of the text")
    labels: Names = key([], "LABEL=CLASS for labels that shall be called otherwise; LABEL= leaves that label out")
    schema: str = key("", "library that gives the class names, by name, id, label or alias", kinds=("schema",))
    types: str = key(
        "",
        "library with facts.jsonl: what entities are instances of types the ends of relations, by id or else by name; "
        "its classes count unless SCHEMA is given",
        kinds=("schema",),
    )
    names: NamesKeys = field(default_factory=NamesKeys)
    shares: Numbers = key(
        [],
        "shares of the training text, each a split of its own, train-5; a smaller lies within a larger",
        unit="percent",
    )
    few: int = key(0, "of the training text of each source, as a split of its own, few-5", unit="sentences")
    few_from: str = key("first", "which sentences those are", choices=("first", "random"))
    sampled: bool = key(
        False,
        "draw the test text as published: of the sentences with an entity type 1 in 14, with a relation type 1 in 4",
    )
    seed: int = key(42, "decides what is drawn")
    list: bool = key(False, "print the benchmarks that are known, and stop")
