#!/usr/bin/env bash
# Everything that must hold before a change is merged. Usage: bash scripts/test.sh [--all] [pytest arguments]
#   --all   also runs the tests marked slow
# KNOWCODER_DATA_ROOT names the folder with the public corpora; tests that need it are skipped where it is missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

marks=(-m "not slow")
if [[ ${1:-} == --all ]]; then
    marks=()
    shift
fi
prepare dev
export PATH="$PWD/.venv/bin:$PATH" DS_ACCELERATOR="${DS_ACCELERATOR:-cpu}" WANDB_MODE=offline HF_HUB_OFFLINE=1
export KNOWCODER_DATA_ROOT="${KNOWCODER_DATA_ROOT:-../shared/data}" KNOWCODER_CASES_ROOT="${KNOWCODER_CASES_ROOT:-../shared/cases}"

# The report is tested in a real browser.
if ! command -v chromium >/dev/null && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    { apt-get update && apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 ||
        echo "chromium could not be installed: the browser test will be skipped"
fi

step() {
    echo "== $*"
    "$@"
}
step ruff check .
step ruff format --check .
step mypy
step lint-imports
step shellcheck --external-sources --source-path=SCRIPTDIR scripts/*.sh scripts/*.bash scripts/slurm/*.sbatch scripts/slurm/*.sh .ci/run
step codespell
step pytest "${marks[@]}" "$@"
