"""Imports go one way: cli -> training, data, nn; training -> nn; nn and data know nothing of the others."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rnnvision"
MAY_IMPORT = {  # part -> (parts of the package, other packages)
    "nn": ({"nn", "checks"}, {"torch"}),
    "data": (
        {"data", "checks", "seeding"},
        {"torch", "torchvision", "lightning", "numpy", "PIL", "sklearn", "filelock", "litdata"},
    ),
    "training": ({"training", "nn", "checks", "seeding"}, {"torch", "torchmetrics", "lightning", "numpy"}),
    "insight": ({"insight", "nn"}, {"torch"}),
    "cli": (
        {"cli", "training", "insight", "data", "nn"},
        {"torch", "lightning", "hydra", "omegaconf", "matplotlib"},
    ),
}
EXCEPTIONS = {  # imported within a function only
    "nn/scan_kernel.py": {"accelerated_scan"},
    "nn/torchvision_controls.py": {"torchvision"},
    "training/fitted.py": {"sklearn"},
}
STANDARD = __import__("sys").stdlib_module_names


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    own, others = MAY_IMPORT[part]
    files = list((PACKAGE / part).rglob("*.py"))
    assert files
    for file in files:
        tree = ast.parse(file.read_text())
        lazily = EXCEPTIONS.get(file.relative_to(PACKAGE).as_posix(), set())
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top, *rest = name.split(".")
                may = others | set(STANDARD) | (set() if node in tree.body else lazily)
                allowed = (rest[0] if rest else "") in own if top == "rnnvision" else top in may
                assert allowed, f"{file.relative_to(PACKAGE)} imports {name}"


def test_every_part_of_the_package_has_its_rule() -> None:
    assert {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()} == set(MAY_IMPORT)
