"""Large files, written a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from knowcoder.errors import ModelError

_CHUNK = 1 << 17  # for more at once the kernel looks for memory in one piece, which can take it several times as long


class Written:
    """A file that takes any number of bytes at once and hands them on in pieces."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, content: bytes | memoryview) -> int:
        """Write all of it."""
        view = memoryview(content)
        for start in range(0, len(view), _CHUNK):
            self._file.write(view[start : start + _CHUNK])
        return len(view)

    def flush(self) -> None:
        """Hand on what is held back."""
        self._file.flush()


@contextmanager
def writing(path: Path) -> Iterator[Written]:
    """Open a file to be written.

    Raises:
        ModelError: it cannot be written.
    """
    try:
        with path.open("wb") as file:
            yield Written(file)
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{path}: cannot be written: {str(error).splitlines()[0]}") from error
