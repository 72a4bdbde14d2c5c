"""rnnvision VERB KEY=VALUE ...: run the verb's module in place of this process."""

import os
import sys

from rnnvision.cli.frame.exits import open_streams
from rnnvision.cli.frame.signals import STOP, hold_signals
from rnnvision.launch import module_command

VERBS = {
    "train": "train a network, then test its best checkpoint",
    "evaluate": "measure a trained checkpoint",
    "predict": "classify images",
    "watch": "watch a network read an image, or a stream of rows",
    "export": "write a trained network as ONNX, a torch program, safetensors or a hub folder",
    "demo": "draw or drop an image, and see the network read it",
    "benchmark": "count and time a network",
    "compare": "train several networks alike, and put them side by side",
    "tune": "search for the settings that score best",
    "report": "write one HTML page of a run, of several runs, or of a study",
    "shards": "pack image files into shards, or check shards",
    "check": "hold a plugin's parts to their contract",
    "models": "list the networks, layers, scans, data sets and recipes, and what each can be told",
    "diff": "say in what two runs differ: settings, scores, answers",
    "results": "show runs as one table, or remove run folders",
    "doctor": "check this machine: packages, device, threads, memory, data",
    "completion": "print what completes commands in bash or zsh",
}


def main() -> None:
    """Replace this process by one of the module rnnvision.cli.VERB.

    Nothing here touches `sys.argv`: Hydra reads it, and Lightning repeats it for each process of a distributed run.
    """
    STOP.install()
    open_streams()
    words = sys.argv[1:]
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    if not words or words[0] in ("-h", "--help"):
        verbs = "\n".join(f"  {verb:12}{what}" for verb, what in VERBS.items())
        print(f"rnnvision VERB [KEY=VALUE ...]\n\n{verbs}\n\nrnnvision VERB --help says what a verb can be told.")
        return
    if words[0] == "--version":
        from rnnvision.runs import versions

        found = {"rnnvision": "not installed", **versions()}
        print(found["rnnvision"])
        print(f"Python {found['python']}, torch {found.get('torch', 'not installed')}")
        return
    if words[0] not in VERBS:
        print(f"rnnvision: {_unknown(words)}", file=sys.stderr)
        sys.exit(2)
    command = module_command(f"rnnvision.cli.{words[0]}", *words[1:])
    sys.stdout.flush()
    hold_signals()
    os.execv(sys.executable, command)


def _unknown(words: list[str]) -> str:
    """What a command without a verb should have been."""
    import shlex

    from rnnvision.checks import nearest

    near = nearest(words[0], VERBS)
    resumed = [f"resume={words[1]}", *words[2:]] if words[0] == "resume" and len(words) > 1 else []
    right = ["train", *(resumed or words)] if "=" in words[0] or resumed else [near, *words[1:]] if near else []
    hint = f"; {f'did you mean {near}? ' if near else ''}Try: {shlex.join(['rnnvision', *right])}" if right else ""
    return f"{words[0]}: there is no such verb; choose one of {', '.join(VERBS)}{hint}"
