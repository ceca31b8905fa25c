# shellcheck shell=bash
# Sourced by the .sbatch files, on the first machine of a job, with the verb and its words: starts one task per machine and
# puts a job that was told to stop back into the queue, where it continues from its last checkpoint.
# Logs: slurm-JOB.out of the job, slurm-JOB-NUMBER.out of every machine, and logs/rank-NUMBER.log in the run's output.
# configs/local/site.sh, if it is there, is read first, here and on every machine.

if [[ -f configs/local/site.sh ]]; then
    # shellcheck source=/dev/null
    source configs/local/site.sh
fi
words=("$@")
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
MASTER_ADDR=${nodes%%$'\n'*}
# Two jobs on one machine must not meet at the same port.
MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export MASTER_ADDR MASTER_PORT NNODES="$SLURM_JOB_NUM_NODES"
if [[ ${SLURM_RESTART_COUNT:-0} != 0 ]]; then
    words+=(resume=true)
fi

code=0
# shellcheck disable=SC2016  # each machine fills in its own number
srun --kill-on-bad-exit=1 --output="slurm-$SLURM_JOB_ID-%n.out" --open-mode=append \
    bash -c 'NODE_RANK=$SLURM_NODEID exec bash scripts/launch.sh "$@"' launch "${words[@]}" || code=$?
# 75: the verb was told to stop and has saved. 138 and 143: so were the processes of several machines.
case $code in
75 | 138 | 143) scontrol requeue "$SLURM_JOB_ID" ;;
esac
exit "$code"
