# Completes the verbs, keys and paths of `knowcoder` in bash, verbs and keys in zsh, by asking its --help.
# An installed package brings it along for bash-completion. In a clone:
#   bash:  source scripts/completion.bash
#   zsh:   autoload -U +X bashcompinit && bashcompinit && source scripts/completion.bash
# shellcheck shell=bash disable=SC2207  # candidates are split at line breaks, which IFS says

_knowcoder() {
    local IFS=$'\n' current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $COMP_CWORD == 1 ]]; then
        COMPREPLY=($(compgen -W "$(knowcoder --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')" -- "$current"))
    elif [[ $current == "=" || $before == "=" ]]; then # bash splits words at "="
        COMPREPLY=($(compgen -f -- "${current#=}"))
    else
        local keys
        keys=$(knowcoder "${COMP_WORDS[1]}" --help 2>/dev/null | sed -n 's/^  \([a-z0-9_.]*=\).*/\1/p')
        COMPREPLY=($(compgen -W "$keys" -- "$current"))
        [[ -z ${BASH_VERSION:-} ]] || compopt -o nospace
    fi
}

if [[ -n ${BASH_VERSION:-} ]]; then
    complete -o filenames -F _knowcoder knowcoder
else
    complete -o nospace -F _knowcoder knowcoder
fi
