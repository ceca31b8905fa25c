"""One rank of a training run: `python -m knowcoder.train.rank VERB RESOLVED.json`, as `launch` starts it."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

from knowcoder import config, jsonl
from knowcoder.errors import KnowcoderError, TrainingError
from knowcoder.quiet import quiet
from knowcoder.train.launch import FACTS, end_with_parent, rank, say_end, work

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(verb: str, resolved: str) -> int:
    """Train; returns the exit code: 0, or that of what the user can mend."""
    quiet()
    end_with_parent()
    settings = jsonl.read_json(resolved, config.VERB_KEYS[verb])
    run_dir = Path(resolved).parent
    try:
        facts = work(verb)(settings, run_dir)
        if rank() == 0:
            jsonl.write_json(run_dir / FACTS, facts)
    except KnowcoderError as error:
        return _end(run_dir, error)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        text = f"{error.filename or run_dir}: {error.strerror}; make room, then continue with resume=true"
        return _end(run_dir, TrainingError(text))
    except KeyboardInterrupt:  # the command that was interrupted says so
        return 130
    return 0


def _end(run_dir: Path, error: KnowcoderError) -> int:
    """Leave word for the command; where even that finds no room, say it here."""
    try:
        say_end(run_dir, error)
    except OSError:
        print(f"rank {rank()}: error: {error}", file=sys.stderr)
    return error.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
