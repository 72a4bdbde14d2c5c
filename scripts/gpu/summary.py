"""The record as Markdown, for docs/benchmarks.md."""

from typing import Any

from gpu.parts import LIMITS, module_of


def page(content: dict[str, Any]) -> str:
    """What was measured, part by part in the order of the table of parts; what was not, and why; and where."""
    shown = [_part(name, content["parts"][name]) for name in LIMITS if name in content["parts"]]
    return "\n\n".join([*shown, _where(content)])


def _part(name: str, part: dict[str, Any]) -> str:
    module = module_of(name)
    lines = [f"### {module.TITLE}", ""]
    if part.get("rows"):
        lines += [module.markdown(part["rows"]), ""]
    notes = [f"- not measured: {case}: {why}" for case, why in part.get("left_out", {}).items()]
    notes += [f"- failed: {case}: {why}" for case, why in part.get("failed", {}).items()]
    if part["status"] in ("over time", "not begun") or (part["status"] == "failed" and not part.get("failed")):
        notes.append(f"- {part['status']}: {part['why']}")
    return "\n".join([*lines, *notes]).rstrip()


def _where(content: dict[str, Any]) -> str:
    facts = content["machine"]
    commits = sorted({part["commit"] for part in content["parts"].values() if "commit" in part})
    card = facts["card"] or f"No GPU: {facts['cpu']}"
    driver = f", driver {facts['driver']}, CUDA {facts['cuda']}, cuDNN {facts['cudnn']}" if facts["card"] else ""
    versions = {k: v for k, v in facts["versions"].items() if k not in ("torch", "rnnvision")}
    small = " **Small sizes, to try the command: the figures mean nothing.**" if facts["small"] else ""
    return (
        f"{card}{driver}, torch {facts['torch']}; {facts['cpu']}, {facts['cores']} cores; "
        f"commit {', '.join(commits) or 'unknown'}.{small}\n"
        f"Versions: {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}.\n"
        f"Command: `{content.get('command', '')}`."
    )
