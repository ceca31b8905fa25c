"""knowcoder: universal information extraction with schemas written as Python classes.

Public names are resolved when they are first used, so that ``import knowcoder`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from knowcoder.predict.extractor import Extractor as Extractor
    from knowcoder.schema.classes import Entity as Entity
    from knowcoder.schema.classes import Event as Event
    from knowcoder.schema.classes import Relation as Relation
    from knowcoder.schema.library import SchemaLibrary as SchemaLibrary

    __version__: str

__all__ = ["Entity", "Event", "Extractor", "Relation", "SchemaLibrary", "__version__"]

_MODULES = {
    "Entity": "knowcoder.schema.classes",
    "Event": "knowcoder.schema.classes",
    "Extractor": "knowcoder.predict.extractor",
    "Relation": "knowcoder.schema.classes",
    "SchemaLibrary": "knowcoder.schema.library",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("knowcoder")
    if name not in _MODULES:
        raise AttributeError(f"module 'knowcoder' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
