# Sourced by the other scripts: makes .venv and installs what is asked for, once.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export HYDRA_FULL_ERROR=0 TOKENIZERS_PARALLELISM=true

# An installed torch in the range of pyproject.toml is kept: clusters bring their own build.
has_torch() {
    "$1" - 2>/dev/null <<'PYTHON'
import sys
from importlib.metadata import version
major, minor = (int(part) for part in version("torch").split(".")[:2])
sys.exit((major, minor) < (2, 11))
PYTHON
}

make_venv() {
    local python=${PYTHON:-python3}
    if has_torch "$python"; then
        "$python" -m venv --system-site-packages .venv
    else
        "$python" -m venv .venv
    fi
}

# prepare run|dev: install the pinned requirements of both phases and the package; dev adds the test tools.
prepare() {
    local wanted stamp
    wanted=$(cat pyproject.toml requirements-*.txt scripts/environment.sh | sha256sum | cut -c1-16)
    stamp=.venv/.knowcoder-$1
    if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
        return
    fi
    [[ -x .venv/bin/python ]] || make_venv
    echo "installing into .venv (a few minutes the first time)"
    local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" "setuptools>=77" wheel
    if has_torch .venv/bin/python; then
        echo "keeping torch $(.venv/bin/python -c 'from importlib.metadata import version; print(version("torch"))')"
    else
        "${pip[@]}" "$(grep '^torch==' requirements-pretrain.txt)"
    fi
    # DeepSpeed is built against the torch that is there, without compiling its kernels.
    local others
    others=$(mktemp)
    sort -u requirements-pretrain.txt requirements-sft.txt | grep -v -e '^torch==' -e '^#' >"$others"
    DS_BUILD_OPS=0 "${pip[@]}" --no-build-isolation -r "$others"
    rm "$others"
    if [[ $1 == dev ]]; then
        "${pip[@]}" --editable ".[pretrain,sft,dev]"
    else
        "${pip[@]}" --editable ".[pretrain,sft]"
    fi
    echo "$wanted" | tee .venv/.knowcoder-run >"$stamp"
}
