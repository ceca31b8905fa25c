"""A file of lines, plain or compressed, in blocks of whole lines that several processes can share."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from knowcoder.errors import DataError

T = TypeVar("T")

#: Text of one block. Blocks of a file are the same whoever reads them, so what is made of each can be kept.
BLOCK_SIZE = 32 << 20
# What the decompressors raise on a damaged or truncated file.
_DAMAGE = (OSError, EOFError, RuntimeError, ValueError, zlib.error)
_REMEDY = "the file may be missing, damaged or cut off; correct the path or fetch it again"
_NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Block:
    """A run of whole lines: bytes ``start`` to ``end`` of the text, read already where the file is compressed."""

    path: str
    number: int
    start: int
    end: int
    text: bytes | None = None

    def read(self) -> bytes:
        """The lines."""
        if self.text is not None:
            return self.text
        with open(self.path, "rb") as file:
            file.seek(self.start)
            return file.read(self.end - self.start)


def is_compressed(path: str | Path) -> bool:
    """Whether a file begins as gzip or bzip2 does."""
    return _magic(path) != b""


def open_text(path: str | Path, threads: int = 1) -> BinaryIO:
    """Open a file, plain, gzip or bzip2 by its first bytes, as bytes of text.

    Decompression takes ``isal``, and ``indexed_bzip2`` for several threads, where they are installed (the extra
    ``dump``), and the standard library otherwise.
    """
    kind = _magic(path)
    if kind == b"bz2":
        return _open_bz2(path, threads)
    if kind == b"gz":
        return _open_gz(path)
    return open(path, "rb")


def _open_bz2(path: str | Path, threads: int) -> BinaryIO:
    if threads > 1:  # in one thread the standard library is faster
        try:
            from indexed_bzip2 import IndexedBzip2File

            return cast(BinaryIO, IndexedBzip2File(str(path), parallelization=threads))
        except ImportError:
            pass
    return cast(BinaryIO, bz2.open(path, "rb"))


def _open_gz(path: str | Path) -> BinaryIO:
    try:
        from isal import igzip
    except ImportError:
        return cast(BinaryIO, gzip.open(path, "rb"))
    return cast(BinaryIO, igzip.open(path, "rb"))


def blocks(
    path: str | Path, *, size: int = BLOCK_SIZE, number: int = 0, start: int = 0, threads: int = 1
) -> Iterator[Block]:
    """Cut a file into blocks of ``size`` bytes and what is left of the last line.

    A file whose first line is ``{`` alone holds one indented object and is one block.

    Args:
        number: of the first block wanted, which begins at byte ``start`` of the text.
        threads: that decompress bzip2.

    Raises:
        DataError: the file is missing, damaged or cut off; says after which byte of the text.
    """
    try:
        packed = is_compressed(path)
        with open_text(path, threads) as file:
            if file.readline(8).strip() == b"{":
                size = _NO_LIMIT
            file.seek(start)
            while True:
                text = _text(file, size) if packed else None
                end = _end(file, start, size) if text is None else start + len(text)
                if end == start:
                    return
                yield Block(str(path), number, start, end, text)
                number, start = number + 1, end
    except _DAMAGE as error:
        said = str(error) if str(error) != "std::exception" else "unexpected end"
        raise DataError(f"{path}: after byte {start:,} of its text: {said}; {_REMEDY}") from error


def _text(file: BinaryIO, size: int) -> bytes:
    text = file.read(-1 if size == _NO_LIMIT else size)
    return text if text.endswith(b"\n") else text + file.readline()


def _end(file: BinaryIO, start: int, size: int) -> int:
    """Where a block of a plain file ends, which whoever takes the block will read."""
    last = file.seek(0, 2)
    if start + size > last:
        return last
    file.seek(start + size - 1)
    file.readline()
    return file.tell()


def each_block(work: Callable[[Block], T], found: Iterator[Block], workers: int) -> Iterator[T]:
    """What ``work`` makes of each block, as it comes; by so many processes where they are more than one.

    No more blocks are in memory than there are processes, and two.

    Raises:
        DataError: a process was killed.
    """
    if workers == 1:
        yield from map(work, found)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending: set[Future[T]] = set()
        try:
            for block in found:
                pending.add(pool.submit(work, block))
                if len(pending) == workers + 2:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            for future in as_completed(pending):
                yield future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process was killed, perhaps for want of memory; use resume=true and fewer workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _magic(path: str | Path) -> bytes:
    """``gz``, ``bz2``, or nothing for a plain file."""
    with open(path, "rb") as file:
        begins = file.read(3)
    return b"bz2" if begins == b"BZh" else b"gz" if begins.startswith(b"\x1f\x8b") else b""
