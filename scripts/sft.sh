#!/usr/bin/env bash
# Phase 2, instruction tuning. Usage: bash scripts/sft.sh [--dry-run] key=value ...
# On several machines set NNODES, NODE_RANK and MASTER_ADDR, or HOSTFILE; launch.sh says more.
exec bash "$(dirname "${BASH_SOURCE[0]}")/launch.sh" sft "$@"
