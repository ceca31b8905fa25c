#!/usr/bin/env bash
# Runs a verb at every point of a grid. Usage: bash scripts/sweep.sh [--dry-run] [--slurm] VERB key=a,b ... output=FOLDER
#   key=a,b     one run with each value; several such keys give all combinations ([a,b] is one value)
#   output=     every run has a folder in it, named after its values
#   --dry-run   prints the command of every run, and starts nothing
#   --slurm     one array job with a run per task, instead of one run after the other here;
#               SBATCH_OPTIONS holds options for sbatch, such as "--gpus-per-node=8 --time=8:00:00"
#   --point N   only the run with this number, from 0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -f configs/local/site.sh ]]; then
    # shellcheck source=/dev/null
    source configs/local/site.sh
fi

dry_run=false slurm=false point=""
while [[ ${1:-} == --* ]]; do
    case $1 in
    --dry-run) dry_run=true ;;
    --slurm) slurm=true ;;
    --point)
        point=${2:?give a number after --point}
        shift
        ;;
    *)
        echo "sweep.sh: there is no $1" >&2
        exit 2
        ;;
    esac
    shift
done
verb=${1:?give a verb}
shift
words=("$@")

say() {
    printf '%q ' "$@"
    echo
}

# The values of every varied key, and how many points they make.
output="" points=1 fixed=() varied=()
for word in "${words[@]}"; do
    value=${word#*=}
    if [[ $word == output=* ]]; then
        output=$value
    elif [[ $value == *,* && $value != \[* ]]; then
        varied+=("$word")
        IFS=, read -ra values <<<"$value"
        points=$((points * ${#values[@]}))
    else
        fixed+=("$word")
    fi
done
if [[ -z $output ]]; then
    echo "sweep.sh: missing output=FOLDER" >&2
    exit 2
fi

# run_point N: the last key varies fastest.
run_point() {
    local number=$1 index name value values chosen=() folder=""
    for ((index = ${#varied[@]} - 1; index >= 0; index--)); do
        name=${varied[$index]%%=*}
        IFS=, read -ra values <<<"${varied[$index]#*=}"
        value=${values[$((number % ${#values[@]}))]}
        number=$((number / ${#values[@]}))
        chosen=("$name=$value" "${chosen[@]}")
        folder="$name=${value##*/}${folder:+_$folder}"
    done
    local command=(bash scripts/launch.sh "$verb")
    case $verb in
    pretrain | sft) ;;
    *)
        command=(python3 -m knowcoder.cli "$verb")
        [[ -x .venv/bin/python ]] && command[0]=.venv/bin/python
        ;;
    esac
    command+=("${fixed[@]}" "${chosen[@]}" "output=$output/${folder:-run}")
    if [[ $dry_run == true ]]; then
        say "${command[@]}"
    else
        "${command[@]}"
    fi
}

if [[ -n $point ]]; then
    run_point "$point"
elif [[ $slurm == true ]]; then
    read -ra options <<<"${SBATCH_OPTIONS:-}"
    command=(sbatch "--array=0-$((points - 1))" "${options[@]}" scripts/slurm/sweep.sbatch "$verb" "${words[@]}")
    if [[ $dry_run == true ]]; then
        say "${command[@]}"
    else
        "${command[@]}"
    fi
else
    failed=()
    for ((number = 0; number < points; number++)); do
        run_point "$number" || failed+=("$number")
    done
    if ((${#failed[@]} > 0)); then
        echo "sweep.sh: ${#failed[@]} of $points runs failed; --point ${failed[0]} starts the first of them again" >&2
        exit 1
    fi
fi
