#!/usr/bin/env bash
# Starts a training verb on one machine or on several. Usage: bash scripts/launch.sh pretrain|sft [--dry-run] key=value ...
#   --dry-run   prints the exact command of every machine that this call starts, and starts nothing
# One machine: the verb starts its own processes (parallel.processes, else one per GPU).
# Several, the same call on every one of them, with these set:
#   NNODES        machines in all
#   NODE_RANK     number of this one, from 0
#   MASTER_ADDR   address of machine 0        MASTER_PORT   a free port there (29500)
#   PROCESSES     processes on this machine (one per GPU, or 1)
# Several, one call on the first, which reaches the others by ssh at the same path:
#   HOSTFILE      file with a line per machine as DeepSpeed has it, `name slots=8`; slots are PROCESSES
#   REMOTE_SHELL  what reaches a machine (ssh -tt -o BatchMode=yes)
# configs/local/site.sh, if it is there, is read first: modules to load, NCCL_SOCKET_IFNAME and the like.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -f configs/local/site.sh ]]; then
    # shellcheck source=/dev/null
    source configs/local/site.sh
fi

verb=${1:?give pretrain or sft}
shift
dry_run=false
if [[ ${1:-} == --dry-run ]]; then
    dry_run=true
    shift
fi
keys=("$@")
python=python3
[[ -x .venv/bin/python ]] && python=.venv/bin/python

say() {
    printf '%q ' "$@"
    echo
}

# The number of GPUs here, or 1.
gpus() {
    local count
    count=$(nvidia-smi --list-gpus 2>/dev/null | wc -l) || count=0
    echo $((count > 0 ? count : 1))
}

on_this_machine() {
    exec "$python" -m knowcoder.cli "$verb" "${keys[@]}" "dry_run=$dry_run"
}

as_one_of_several() {
    : "${NODE_RANK:?set NODE_RANK to the number of this machine, from 0}"
    : "${MASTER_ADDR:?set MASTER_ADDR to the address of machine 0}"
    local processes=${PROCESSES:-$(gpus)} command
    command=("$python" -m knowcoder.train.torchrun "--nnodes=$NNODES" "--node-rank=$NODE_RANK"
        "--nproc-per-node=$processes" "--master-addr=$MASTER_ADDR" "--master-port=${MASTER_PORT:-29500}"
        -m knowcoder.cli "$verb" "${keys[@]}")
    if [[ $dry_run == true ]]; then
        say "${command[@]}"
        exit
    fi
    # Ranks that each take all cores wait for one another.
    local threads=$(($(nproc) / processes))
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((threads > 0 ? threads : 1))}" TOKENIZERS_PARALLELISM=false
    exec "${command[@]}"
}

from_hostfile() {
    local names=() slots=() name slot rest
    while read -r name slot rest; do
        [[ -z $name || $name == \#* ]] && continue
        if [[ $slot != slots=* || -n $rest ]]; then
            echo "$HOSTFILE: '$name $slot $rest' is not NAME slots=NUMBER" >&2
            exit 2
        fi
        names+=("$name")
        slots+=("${slot#slots=}")
    done <"$HOSTFILE"
    if ((${#names[@]} == 0)); then
        echo "$HOSTFILE: names no machine" >&2
        exit 2
    fi
    local remote number settings words code=0
    jobs=()  # the trap reads it when this function is over
    read -ra remote <<<"${REMOTE_SHELL:-ssh -tt -o BatchMode=yes}"
    for number in "${!names[@]}"; do
        settings=("NNODES=${#names[@]}" "NODE_RANK=$number" "MASTER_ADDR=${names[0]}"
            "MASTER_PORT=${MASTER_PORT:-29500}" "PROCESSES=${slots[$number]}")
        words=(env -u HOSTFILE "${settings[@]}" bash scripts/launch.sh "$verb" "${keys[@]}")
        words=("${remote[@]}" "${names[$number]}" "cd $(printf '%q' "$PWD") && exec$(printf ' %q' "${words[@]}")")
        if [[ $dry_run == true ]]; then
            say "${words[@]}"
        else
            "${words[@]}" </dev/null &
            jobs+=($!)
        fi
    done
    [[ $dry_run == true ]] && exit
    trap 'kill "${jobs[@]}" 2>/dev/null || true' INT TERM EXIT
    for _ in "${jobs[@]}"; do
        wait -n || { code=$?; break; }  # one machine that fails ends the others
    done
    exit "$code"
}

if [[ -n ${HOSTFILE:-} ]]; then
    from_hostfile
elif [[ ${NNODES:-1} != 1 ]]; then
    as_one_of_several
else
    on_this_machine
fi
