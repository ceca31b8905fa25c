"""Artefacts: the folders that stages write, each with a manifest that says what it is and how it came about.

Short stages write into a temporary sibling that is renamed when it is whole (`writing`). Long ones work in
place under the state "running" and can be resumed (`working`). Both refuse an existing output unless
``overwrite=true``, which keeps the old one aside until the new one is whole.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec

from knowcoder import jsonl
from knowcoder.errors import ArtefactError

MANIFEST = "manifest.json"
_HASH_WHOLE_UP_TO = 1 << 30
#: Keys that say how a stage runs, not what it makes: a change of them leaves an artefact up to date.
PASSING_KEYS = frozenset(
    {"output", "overwrite", "resume", "dry_run", "log_to", "log_every", "verify", "executor", "workers", "cluster"}
    | {"server.url", "server.concurrency", "server.retries"}
    | {"parallel", "micro_batch", "activation_checkpointing", "eval_data", "eval_every"}
    | {"save_every", "save_in_background", "keep_last", "keep_every"}
)


@dataclass
class Counts:
    """What a stage read and what became of it: ``read = kept + sum(rejected)``."""

    read: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """One unit of input that was left out: where it stood, why, and what it was; a line of ``rejects.jsonl``."""

    file: str
    line: int
    reason: str
    value: str = ""


@dataclass
class Manifest:
    """The birth certificate of an artefact. ``facts`` holds what later stages need to know of it."""

    kind: str
    state: Literal["running", "complete"] = "running"
    config: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    facts: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str = ""
    seconds: float = 0.0

    def save(self, directory: Path) -> None:
        """Write ``manifest.json`` atomically."""
        jsonl.write_json(directory / MANIFEST, self)


@dataclass
class Output:
    """The folder that a stage is writing, and the manifest that it will carry."""

    directory: Path
    manifest: Manifest


def read_manifest(directory: str | Path) -> Manifest | None:
    """The manifest of a folder, or None where there is none (a folder that no stage of ours wrote)."""
    path = Path(directory) / MANIFEST
    return jsonl.read_json(path, Manifest) if path.is_file() else None


def require(path: str | Path, *kinds: str, key: str) -> Manifest:
    """Check that an input is an artefact of the right kind, and complete.

    Args:
        path: the folder given for ``key``.
        kinds: the artefact kinds accepted.

    Raises:
        ArtefactError: it is missing, half-written, or something else.
    """
    require_exists(path, key)
    manifest, wanted = read_manifest(path), " or ".join(kinds)
    if manifest is None:
        raise ArtefactError(f"{key}={path}: holds no {MANIFEST}; give a folder of kind {wanted}")
    if manifest.kind not in kinds:
        raise ArtefactError(f"{key}={path}: is of kind {manifest.kind}; {key} needs kind {wanted}")
    if manifest.state != "complete":
        raise ArtefactError(f"{key}={path}: this {manifest.kind} is not complete; finish it with resume=true")
    return manifest


def require_exists(path: str | Path, key: str) -> None:
    """Raise where there is nothing at a path, or of a pattern of names.

    Raises:
        ArtefactError: it is missing.
    """
    if not Path(path).exists() and not glob.glob(str(path), recursive=True):
        raise ArtefactError(f"{key}={path}: no such file or folder; correct the path, or run the stage that makes it")


def fingerprint(path: str | Path) -> str:
    """A hash that changes when an input changes.

    An artefact's is that of its manifest. Foreign files count by name, size and time, and by their
    bytes up to 1 GB. A pattern of names counts by the files that it fits.
    """
    place = Path(path)
    if (place / MANIFEST).is_file():
        return hashlib.sha256((place / MANIFEST).read_bytes()).hexdigest()
    files = [place] if place.exists() else [Path(found) for found in sorted(glob.glob(str(path), recursive=True))]
    if place.is_dir():
        files = sorted(p for p in place.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        name = file.relative_to(place) if place.exists() else file
        digest.update(f"{name}\0{status.st_size}\0".encode())
        if status.st_size <= _HASH_WHOLE_UP_TO:
            with open(file, "rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        else:
            digest.update(str(status.st_mtime_ns).encode())
    return digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that shape results, where installed."""
    names = ("knowcoder", "torch", "transformers", "deepspeed", "peft", "datasets", "tokenizers", "llguidance")
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def git_commit() -> str:
    """Commit of the working tree that the package runs from, with "+changes" where it is not clean; "" outside one."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    run = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*run, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run(
            [*run, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + ("+changes" if dirty.strip() else "")


def plain(config: Any) -> dict[str, Any]:
    """A configuration dataclass as JSON values."""
    result: dict[str, Any] = msgspec.to_builtins(dataclasses.asdict(config))
    return result


def new_manifest(kind: str, config: Any, inputs: dict[str, str]) -> Manifest:
    """A manifest in state "running". ``inputs`` maps each input key to its path."""
    marked = {key: {"path": str(path), "hash": fingerprint(path)} for key, path in inputs.items()}
    return Manifest(kind=kind, config=plain(config), inputs=marked, versions=versions(), git_commit=git_commit())


def is_current(manifest: Manifest | None, config: Any, inputs: dict[str, str]) -> bool:
    """Whether a complete artefact is what this configuration and these inputs would make again."""
    if manifest is None or manifest.state != "complete":
        return False
    return same_making(manifest.config, plain(config)) and {k: v["hash"] for k, v in manifest.inputs.items()} == {
        key: fingerprint(path) for key, path in inputs.items()
    }


def same_making(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two resolved configurations differ only in keys that do not change the result."""
    return _making(one) == _making(other)


def _making(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value, for the keys that decide what is made."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if prefix + key in PASSING_KEYS:
            continue
        if isinstance(value, dict):
            found |= _making(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def refuse_existing(directory: Path, overwrite: bool) -> None:
    """Raise unless ``directory`` is free to be written.

    Raises:
        ArtefactError: it exists, is not empty, and ``overwrite`` is false.
    """
    begun = directory / f"{MANIFEST}.partial"  # all that a stage leaves that is killed as it begins
    taken = directory.exists() and (not directory.is_dir() or any(path != begun for path in directory.iterdir()))
    if taken and not overwrite:
        raise ArtefactError(f"output={directory}: exists already; give another output or overwrite=true")


@contextmanager
def writing(directory: str | Path, kind: str, config: Any, inputs: dict[str, str]) -> Iterator[Output]:
    """Write a short artefact: the folder appears under its name only when it is whole.

    Raises:
        ArtefactError: the output exists and ``config.overwrite`` is false.
    """
    final = Path(directory)
    refuse_existing(final, config.overwrite)
    started = time.monotonic()
    partial = final.with_name(f".{final.name}.partial-{os.getpid()}")
    _make(partial)
    output = Output(partial, new_manifest(kind, config, inputs))
    try:
        yield output
        output.manifest.state = "complete"
        output.manifest.seconds = round(time.monotonic() - started, 2)
        output.manifest.save(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _move_aside(final)
    os.rename(partial, final)
    shutil.rmtree(_aside(final), ignore_errors=True)


@contextmanager
def working(directory: str | Path, kind: str, config: Any, inputs: dict[str, str]) -> Iterator[Output]:
    """Write a long artefact in place; ``config.resume`` continues one that was cut off.

    Raises:
        ArtefactError: the output exists and neither ``resume`` nor ``overwrite`` applies, or ``resume`` was
            asked for with another configuration or other inputs.
    """
    final = Path(directory)
    manifest = new_manifest(kind, config, inputs)
    started = time.monotonic()
    before = read_manifest(final) if final.is_dir() else None
    if config.resume and before is not None:
        _check_resumable(final, before, manifest)
        manifest.seconds = before.seconds
    else:
        if before is not None and before.state == "running" and not config.overwrite:
            raise ArtefactError(
                f"output={final}: exists already, cut off; continue it with resume=true, or start anew with "
                "overwrite=true"
            )
        refuse_existing(final, config.overwrite)
        _move_aside(final)
    _make(final)
    earlier = manifest.seconds
    manifest.save(final)
    try:
        yield Output(final, manifest)
    except BaseException:
        if [path.name for path in final.iterdir()] == [MANIFEST]:  # nothing was made, so there is nothing to resume
            shutil.rmtree(final)
            if _aside(final).exists():
                os.rename(_aside(final), final)
        raise
    manifest.state = "complete"
    manifest.seconds = round(earlier + time.monotonic() - started, 2)
    manifest.save(final)
    shutil.rmtree(_aside(final), ignore_errors=True)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArtefactError(f"output={directory.parent}: cannot be written ({reason}); give another output") from error


def _check_resumable(directory: Path, before: Manifest, now: Manifest) -> None:
    """Raise where a cut-off artefact was begun with another configuration or other inputs."""
    if before.kind != now.kind:
        raise ArtefactError(f"output={directory}: is of kind {before.kind}; one of kind {now.kind} cannot resume there")
    if not same_making(before.config, now.config):
        then = _making(before.config)
        changed = sorted(key for key, value in _making(now.config).items() if then.get(key) != value)
        raise ArtefactError(
            f"output={directory}: begun with other values of {', '.join(changed)}; "
            "resume with the same keys, or start anew with overwrite=true"
        )
    other = sorted(k for k in now.inputs if before.inputs.get(k, {}).get("hash") != now.inputs[k]["hash"])
    if other:
        raise ArtefactError(
            f"output={directory}: begun with another content of {', '.join(other)}; "
            "give the same input, or start anew with overwrite=true"
        )


def _move_aside(directory: Path) -> None:
    """Rename an existing folder out of the way, until what replaces it is whole."""
    aside = _aside(directory)
    if not directory.exists():
        return
    if aside.exists():  # a run that overwrote was cut off: the older, whole one is the one to keep
        shutil.rmtree(directory)
    else:
        os.rename(directory, aside)


def _aside(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.old")
