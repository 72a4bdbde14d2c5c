"""The scripts that a shell evaluates. Each hands over the line, and inserts what it is given.

A candidate that ends in a space is a whole word; after any other, such as `model=` or `logs/`, one types on.
"""

BASH = """\
_rnnvision() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        [[ -n $line ]] && COMPREPLY+=("$line")
    done < <("$1" completion "line=${COMP_LINE:0:COMP_POINT}" "breaks=$COMP_WORDBREAKS" 2>/dev/null)
}
complete -o nospace -F _rnnvision rnnvision"""

ZSH = """\
autoload -Uz compinit
(( $+functions[compdef] )) || compinit
_rnnvision() {
    local line
    local -a whole open
    for line in "${(@f)$("$words[1]" completion "line=${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}"; do
        case $line in
            '') ;;
            *' ') whole+=("${line% }") ;;
            *) open+=("$line") ;;
        esac
    done
    (( $#whole )) && compadd -Q -a whole
    (( $#open )) && compadd -Q -S '' -a open
    (( $#whole + $#open ))
}
compdef _rnnvision rnnvision"""

SCRIPTS = {"bash": BASH, "zsh": ZSH}
