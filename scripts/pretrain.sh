#!/usr/bin/env bash
# Phase 1, pre-training under the pipeline. Usage: bash scripts/pretrain.sh [--dry-run] key=value ...
# On several machines set NNODES, NODE_RANK and MASTER_ADDR, or HOSTFILE; launch.sh says more.
exec bash "$(dirname "${BASH_SOURCE[0]}")/launch.sh" pretrain "$@"
