"""What is known of GPUs: how fast the makers say they are, and how much memory the one that is here has."""

from __future__ import annotations

import torch

from knowcoder.config import ClusterConfig

#: Part of a GPU's name -> its makers' TFLOP/s in bf16 and fp16 with dense matrices; the first that fits counts.
_HALF = {
    "B200": 2250,
    "H200": 989,
    "H100 PCIe": 756,
    "H100 NVL": 835,
    "H100": 989,
    "H800": 989,
    "A100": 312,
    "A800": 312,
    "L40S": 362,
    "L40": 181,
    "L4": 121,
    "A40": 150,
    "A30": 165,
    "A10": 125,
    "V100": 125,
    "T4": 65,
    "RTX 4090": 165,
    "RTX 3090": 71,
    "MI300X": 1307,
    "MI250X": 383,
}


def peak_tflops(cluster: ClusterConfig, precision: str) -> float | None:
    """Return the peak of a GPU in TFLOP/s: as `cluster` says, else from the table; None where neither knows."""
    if cluster.peak:
        return cluster.peak
    if precision == "fp32" or not torch.cuda.is_available():
        return None
    return table_tflops(torch.cuda.get_device_name())


def table_tflops(name: str) -> float | None:
    """Return what the makers say of a GPU in half precision, by the name that its driver gives."""
    return next((float(peak) for part, peak in _HALF.items() if part in name), None)


def memory_gib(cluster: ClusterConfig) -> float | None:
    """Return the memory of a GPU in GiB: as `cluster` says, else that of the one here; None where there is none."""
    if cluster.memory:
        return cluster.memory
    if not torch.cuda.is_available():
        return None
    return float(torch.cuda.get_device_properties(0).total_memory) / 2**30
