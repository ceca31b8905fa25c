"""Pages of the documentation that are made when the site is built: nothing that stands elsewhere is written twice.

The configuration reference comes from `knowcoder.config`, the list of data sets from `configs/benchmark`; home,
contributing and changelog are the files of the repository's root. `mkdocs.yml` names this file as a hook.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from knowcoder.cli import VERBS
from knowcoder.config import MISSING, VERB_KEYS, Key, keys_of
from knowcoder.corpus import registry

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent
FROM_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
INTRODUCTION = """\
# Configuration

Every key of every verb, as `knowcoder VERB --help` shows them. A key is given as `key=value`; text is taken literally,
lists are written `[a,b]`. Values come from the defaults below, then from `configs/VERB.yaml`, `experiment=NAME` and
`cluster=NAME`, then from the command line. **Inputs** are folders of the kind named, or files of your own where it says
so.
"""
DATA_SETS = """\
# Data sets

What `knowcoder corpus benchmark=[NAME] input=FOLDER` reads, as `knowcoder corpus list=true` shows it. Types and
sentences are those of the data set's files; in parentheses stands what the published table of data sets counts, where
it differs. **Verified**: the counts were met on the real files, and other files are an error. The rest are read as
their distribution is documented; counts that differ are said when they are read. No data set comes with this project.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    made = {target: from_root(ROOT / source) for source, target in FROM_ROOT.items()}
    made["reference/configuration.md"] = configuration()
    made["reference/benchmarks.md"] = data_sets()
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))
    return files


def from_root(path: Path) -> str:
    """A file of the root, its links to other pages as they are seen from docs/."""
    text = path.read_text(encoding="utf-8").replace("](docs/", "](")
    for source, target in FROM_ROOT.items():
        text = text.replace(f"]({source})", f"]({target})")
    return text


def configuration() -> str:
    """The configuration reference, one section per verb."""
    return "\n".join([INTRODUCTION, *(line for verb in VERBS for line in _verb(verb))])


def data_sets() -> str:
    """The table of the data sets, and how to get each."""
    rows, ways = [], []
    for name in registry.names():
        known = registry.load(name)
        cells = [f"[`{name}`](#{name})", known.title, " ".join(known.asked), known.language, *known.size.values()]
        rows.append(" | ".join(["", *cells, "yes" if known.verified else "", ""]).strip())
        ways += [f"## {name}", "", f"{known.title}. <{known.homepage}>", "", f"Licence: {known.licence}.", ""]
        ways += [f"To get it: {known.obtain}.", ""]
    head = ["| name | data set | tasks | language | types | train | dev | test | verified |", f"|{'---|' * 9}"]
    return "\n".join([DATA_SETS, *head, *rows, "", *ways])


def _verb(name: str) -> Iterator[str]:
    verb = VERBS[name]
    yield from (f"## {name}", "", f"{verb.summary[0].upper()}{verb.summary[1:]}. Writes: {verb.writes}.", "")
    yield from (f"    {verb.example}", "")
    if name == "plan":
        yield from ("Takes the keys of the verb that it plans besides.", "")
    keys = keys_of(VERB_KEYS[name])
    if keys:
        yield from ("| key | default | meaning |", "|---|---|---|", *map(_row, keys), "")


def _row(key: Key) -> str:
    words = [key.help]
    if key.choices:
        words.append("one of " + ", ".join(f"`{choice}`" if choice else "empty" for choice in key.choices))
    if key.unit:
        words.append(f"in {key.unit}")
    if key.is_input:
        words.append("**input**: " + " or ".join([*key.kinds, *(["your own"] if key.foreign else [])]))
    meaning = "; ".join(words).replace("|", "\\|")
    return f"| `{key.name}` | {_default(key)} | {re.sub('<', '&lt;', meaning)} |"


def _default(key: Key) -> str:
    if key.default == MISSING:
        return "**required**"
    if isinstance(key.default, list):
        return f"`[{','.join(map(str, key.default))}]`"
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    return f"`{key.default!r}`" if key.default in ("", "\t", " ") else f"`{key.default}`"
