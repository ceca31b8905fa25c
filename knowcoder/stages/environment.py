"""`env`."""

from __future__ import annotations

import os

from knowcoder import artefact, config


def env(settings: config.EnvConfig) -> None:
    """Print versions and devices."""
    import platform

    print(f"python        {platform.python_version()} on {platform.platform()}")
    for name, version in artefact.versions().items():
        print(f"{name:<13} {version}")
    print(f"commit        {artefact.git_commit() or 'not a git checkout'}")
    if "torch" in artefact.versions():
        import torch

        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        print(f"devices       {', '.join(gpus) or f'cpu, {os.cpu_count()} cores'}")
