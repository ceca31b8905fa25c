#!/usr/bin/env bash
# From a fresh clone to an F1: installs into .venv, then runs the demo recipe. A second call finds all of it done.
# Usage: bash scripts/quickstart.sh [key=value ...]      for example size=smoke
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

prepare run
exec .venv/bin/knowcoder run recipe=demo "$@"
