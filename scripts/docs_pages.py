"""Pages of the site that are made and not written: those of the top folder, and the API. mkdocs calls each `on_...`."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

TOP = {"README": "index", "CONTRIBUTING": "contributing", "CHANGELOG": "changelog", "SECURITY": "security"}
# A page, and the modules it shows.
API = {
    "rnnvision": ["rnnvision.registry", "rnnvision.errors", "rnnvision.checks"],
    "nn": ["", "scan", "recurrence", "readout", "glimpse", "grid", "dropout", "reconstruction", "contract"],
    "layers": [
        *("layer", "fused", "minimal", "rglru", "state_space", "mlstm", "refined", "indrnn", "position_wise"),
        *("chunked", "unrolled", "initialisation"),
    ],
    "kernels": ["prefix_scan", "triton_scan", "matrix_memory"],
    "networks": ["sequence_classifier", "encoder_decoder", "renet", "sequencer", "vision_lstm", "published"],
    "controls": ["feedforward", "svm", "torchvision_networks"],
    "data": ["datamodule", "augment", "catalog", "splits", "images", "shard_writer"],
    "sets": ["builtin", "folders", "mnist_family", "nist", "arrays", "photos", "oxford", "contract"],
    "training": ["learner", "optim", "checkpoint", "svm_fit", "precision", "run_log"],
    "insight": [
        *("anytime", "gradients", "gates", "trajectories", "saliency", "attention", "labels", "classes", "reliability"),
        *("mcnemar", "cost", "speed", "kernels"),
    ],
    "inference": ["classifier", "published"],
    "runs": ["folder", "read", "environment", "process"],
    "report": ["style", "comparison", "comparison_plot", "benchmark_plot"],
}
ROOMS = {
    "layers": "nn.layers",
    "kernels": "nn.kernels",
    "networks": "nn.networks",
    "controls": "nn.controls",
    "sets": "data.sets",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those of docs/."""
    root = Path(config.config_file_path).parent
    for name, page in TOP.items():
        files.append(File.generated(config, f"{page}.md", content=_from_the_top((root / f"{name}.md").read_text())))
    for page, modules in API.items():
        files.append(File.generated(config, f"api/{page}.md", content=_api(page, modules)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let a page of docs/ find those of the top folder, which it has beside it here."""
    return _to_top_pages(markdown, "../")


def _from_the_top(text: str) -> str:
    """A page of the top folder as one of docs/: its links lose the folder, those to other top pages their capitals."""
    return _to_top_pages(re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text), "")


def _to_top_pages(text: str, folder: str) -> str:
    for name, page in TOP.items():
        text = text.replace(f"]({folder}{name}.md)", f"]({page}.md)")
    return text


def _api(page: str, modules: list[str]) -> str:
    room = f"rnnvision.{ROOMS.get(page, page)}"
    named = [module if module.startswith("rnnvision") else f"{room}.{module}".rstrip(".") for module in modules]
    room = "rnnvision" if page == "rnnvision" else room
    return f"# {room}\n\n" + "\n".join(f"::: {name}\n" for name in named)
