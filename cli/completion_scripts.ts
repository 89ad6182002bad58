/**
 * The shells' side of completion: small scripts that ask this program. None of them evaluates what the user typed or
 * what this program answers, so a name can't become a command.
 *
 * @module
 */

/** The shells there is a script for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What this program answers where the shell should complete file names. */
export const FILES = ":files";

const BASH = `# bash completion for runevault. Load it with: eval "$(runevault completion bash)"
_runevault() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ${FILES} ]]; then
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
      return
    fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _runevault runevault
`;

const ZSH = `#compdef runevault
# zsh completion for runevault. Load it with: eval "$(runevault completion zsh)"
_runevault() {
  local line
  local -a found
  while IFS= read -r line; do
    if [[ $line == ${FILES} ]]; then
      _files
      return
    fi
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe runevault found
}
compdef _runevault runevault
`;

const FISH = `# fish completion for runevault. Load it with: runevault completion fish | source
function __runevault_complete
    set -l typed (commandline -opc) (commandline -ct)
    set -l found ($typed[1] complete -- $typed[2..-1] 2>/dev/null)
    if test "$found[1]" = "${FILES}"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c runevault -f -a '(__runevault_complete)'
`;

/** The script of each shell. */
export const COMPLETION_SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
};
