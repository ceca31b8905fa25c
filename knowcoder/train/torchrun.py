"""torchrun without its own account of a failed rank: `python -m knowcoder.train.torchrun ARGUMENTS`.

What went wrong the rank has said itself; the exit code is the rank's.
"""

from __future__ import annotations

import logging
import os
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from knowcoder.train.launch import end_with_parent


def main() -> int:
    """Run torchrun with this process's arguments."""
    end_with_parent()
    # Ranks that are told to stop save first: they are told by either signal, and given time.
    signals = "--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "1800")
    logging.disable(logging.ERROR)
    try:
        run.main([signals, *sys.argv[1:]])
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    except SignalException as stopped:
        return 128 + stopped.sigval
    return 0


if __name__ == "__main__":
    sys.exit(main())
