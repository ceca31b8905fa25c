"""datatrove's job array on Slurm, as `samples` uses it. Imported only where it is asked for: it needs datatrove."""

from __future__ import annotations

import math
from pathlib import Path

from datatrove.executor import SlurmPipelineExecutor


class SlurmArray(SlurmPipelineExecutor):  # type: ignore[misc]
    """A job array of which one job makes one shard."""

    def script(self) -> str:
        """The script that would be submitted for what is still to do; leaves nothing behind."""
        count = math.ceil(len(self.get_incomplete_ranks()) / self.tasks_per_job)
        pickled = self.logging_dir.resolve_paths("executor.pik")
        arguments = self.get_sbatch_args(min(count, self.max_array_size))
        logs = Path(self.slurm_logs_folder)  # which the line above has made
        for folder in (logs, logs.parent, logs.parent.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return str(self.get_launch_file_contents(arguments, f"srun -l -n 1 launch_pickled_pipeline {pickled}"))

    def launch_merge_stats(self) -> None:
        """Shards keep their own account, so no job adds up datatrove's."""
