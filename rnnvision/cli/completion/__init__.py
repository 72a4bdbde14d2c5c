"""rnnvision completion SHELL: the script by which a shell completes commands, and what may follow a line.

Nothing here imports torch, Hydra or OmegaConf: a completion answers while one types.
"""

from rnnvision.checks import choose_one
from rnnvision.cli.completion.candidates import candidates
from rnnvision.cli.completion.scripts import SCRIPTS
from rnnvision.cli.frame.command_line.plain import read_settings, run_plain
from rnnvision.errors import UsageError

USAGE = """Prints the script by which bash or zsh completes verbs, keys, options and paths. For every new shell:

  echo 'eval "$(rnnvision completion bash)"' >> ~/.bashrc
  echo 'eval "$(rnnvision completion zsh)"' >> ~/.zshrc

  shell: null  # bash or zsh: print its script
  line: null   # a line that has been typed so far: print the words that may be its last one, as the scripts ask
  breaks: ""   # characters at which the shell breaks words: of a word only what follows the last of them is printed"""


def main() -> None:
    run_plain("completion", USAGE, completion)


def completion(words: list[str]) -> None:
    """Print a script, or what may stand at the end of a line."""
    given = read_settings("completion", words)
    if "line" in given:
        print("\n".join(candidates(given["line"], given.get("breaks", ""))))
        return
    shell = given.get("shell", "null")
    if shell not in SCRIPTS:
        raise UsageError(f"shell={shell}: {choose_one(shell, SCRIPTS)}; try: rnnvision completion bash")
    print(SCRIPTS[shell])
