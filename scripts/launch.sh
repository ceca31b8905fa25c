#!/usr/bin/env bash
# Starts a training verb on one machine or on several. Usage: bash scripts/launch.sh pretrain|sft [--dry-run] key=value ...
#   --dry-run   prints the exact command and starts nothing
# One machine: the verb starts its own processes (parallel.processes, else one per GPU).
# Several: the same call on every one, with these set:
#   NNODES        machines in all
#   NODE_RANK     number of this one, from 0
#   MASTER_ADDR   address of machine 0        MASTER_PORT   a free port there (29500)
#   PROCESSES     processes per machine (one per GPU, or 1)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

verb=${1:?give pretrain or sft}
shift
dry_run=false
if [[ ${1:-} == --dry-run ]]; then
    dry_run=true
    shift
fi
python=python3
[[ -x .venv/bin/python ]] && python=.venv/bin/python

if [[ ${NNODES:-1} == 1 ]]; then
    exec "$python" -m knowcoder.cli "$verb" "$@" "dry_run=$dry_run"
fi
: "${NODE_RANK:?set NODE_RANK to the number of this machine, from 0}"
: "${MASTER_ADDR:?set MASTER_ADDR to the address of machine 0}"
gpus=$(nvidia-smi --list-gpus 2>/dev/null | wc -l) || gpus=0
processes=${PROCESSES:-$((gpus > 0 ? gpus : 1))}
command=("$python" -m torch.distributed.run "--nnodes=$NNODES" "--node-rank=$NODE_RANK" "--nproc-per-node=$processes"
    "--master-addr=$MASTER_ADDR" "--master-port=${MASTER_PORT:-29500}" -m knowcoder.cli "$verb" "$@")
if [[ $dry_run == true ]]; then
    printf '%q ' "${command[@]}"
    echo
    exit
fi
exec "${command[@]}"
