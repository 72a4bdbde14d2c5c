"""The rooms of the package and the arrows between them, read from the source with `ast`; sizes of files and folders."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rnnvision"
FILES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
BASE = {
    "errors",
    "atomic",
    "disk",
    "checks",
    "launch",
    "lazy",
    "seeding",
    "registry",
    "signature",
    "masking",
    "regular",
    "others",
    "progress",
}  # any room may import them
ROOMS = {  # room -> (rooms that it may import, packages that it may import)
    "nn": (set(), {"torch"}),
    "data": (set(), {"torch", "torchvision", "lightning", "numpy", "PIL", "sklearn", "filelock", "litdata"}),
    "training": ({"nn"}, {"torch", "torchmetrics", "lightning", "numpy"}),
    "insight": ({"nn"}, {"torch"}),
    "inference": ({"training", "data", "insight", "nn"}, {"torch", "numpy"}),
    "runs": (set(), set()),
    "report": ({"insight", "runs"}, set()),
    "search": ({"runs"}, set()),
    "cli": (
        {"nn", "data", "training", "insight", "inference", "runs", "report", "search"},
        {"torch", "lightning", "hydra", "omegaconf"},
    ),
}
LAZY = {  # a file, or all of a folder -> packages that it may import within a function, and only there
    "nn/kernels/threads.py": {"threadpoolctl"},
    "nn/kernels/triton_scan.py": {"accelerated_scan"},
    "nn/controls/torchvision_networks.py": {"torchvision"},
    "data/sets/flat_imagenet.py": {"scipy"},  # which torchvision reads MATLAB's files with
    "training/svm_fit.py": {"sklearn"},
    "inference/export/": {"onnx", "onnxruntime", "onnxscript", "safetensors", "google"},
    "inference/demo/": {"onnxruntime", "starlette", "uvicorn"},
    "inference/predictions.py": {"pandas", "pyarrow"},
    "report/": {"jinja2", "markupsafe", "matplotlib"},
    "search/": {"optuna", "sqlalchemy"},  # the second of which the first keeps a study with
    "search/places/": {"submitit", "ray"},
    "cli/demo.py": {"starlette", "uvicorn"},
    "cli/doctor/": {"packaging", "torchvision"},  # the first of which Lightning needs
    "cli/frame/live/": {"rich"},
    "cli/frame/strangers/": {"yaml"},  # which OmegaConf needs
    "cli/frame/sweep/": {"rich"},
    "cli/frame/tracking/": {"tensorboard"},
    "cli/frame/early/": {"lightning_utilities"},  # which Lightning and torchmetrics ask what is installed
    "cli/predict/": {"tqdm"},  # as does Lightning
    "cli/tune/": {"optuna", "rich"},
    "cli/watch/": {"rich", "PIL"},
}
LAZY_EVERYWHERE = {
    *("accelerated_scan", "sklearn", "litdata", "matplotlib", "onnx", "onnxruntime", "onnxscript", "safetensors"),
    *("pandas", "pyarrow", "starlette", "uvicorn", "optuna", "submitit", "ray"),
}


def lazy_of(file: str) -> set[str]:
    """The packages that a file may import within a function."""
    return {package for place, packages in LAZY.items() if file.startswith(place) for package in packages}


def imports(node: ast.AST) -> Iterator[str]:
    """The full names that one import statement asks for: of `from a.b import c` it is a.b.c."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are written in full"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run at import: not those in functions, nor those that only a type checker reads."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            continue
        yield statement
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]


def of_the_package(name: str) -> str:
    """The room, or the base module, of a full name: rnnvision.nn.scan.Scan -> nn."""
    return [*name.split("."), ""][1]


def module_of(file: str) -> str:
    return ".".join(["rnnvision", *Path(file).with_suffix("").parts]).removesuffix(".__init__")


MODULES = {module_of(file): tree for file, tree in FILES.items()}


def imported_modules(tree: ast.Module) -> set[str]:
    """The modules of the package that are loaded when this one is; of `from package import module` that module too."""
    named = {name for statement in top_level(tree) for name in imports(statement) if name.startswith("rnnvision")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in named}


# Arrows ---------------------------------------------------------------------------------------------------------------


def test_every_room_has_its_rule() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(ROOMS)
    assert {path.stem for path in PACKAGE.glob("*.py")} == BASE | {"__init__"}
    assert all(rooms <= set(ROOMS) - {"cli"} for rooms, _ in ROOMS.values())  # none imports cli


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    rooms, packages = ROOMS[room]
    wrong = []
    for file, tree in FILES.items():
        if not file.startswith(f"{room}/"):
            continue
        lazily = lazy_of(file)
        for node in ast.walk(tree):
            for name in imports(node):
                top = name.split(".")[0]
                if top == "rnnvision":
                    allowed = of_the_package(name) in rooms | BASE | {room}
                else:
                    allowed = top in packages | lazily | sys.stdlib_module_names
                wrong += [] if allowed else [f"{file} imports {name}"]
    assert wrong == []


@pytest.mark.parametrize("base", sorted(BASE))
def test_a_base_module_imports_the_standard_library_and_other_base_modules(base: str) -> None:
    names = [name for node in ast.walk(FILES[f"{base}.py"]) for name in imports(node)]
    assert [n for n in names if n.split(".")[0] not in sys.stdlib_module_names and of_the_package(n) not in BASE] == []


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    assert imported_modules(FILES["__init__.py"]) == {"rnnvision.lazy"}


def test_packages_that_may_be_missing_are_imported_within_functions() -> None:
    wrong = []
    for file, tree in FILES.items():
        lazy = LAZY_EVERYWHERE | lazy_of(file)
        early = {name.split(".")[0] for statement in top_level(tree) for name in imports(statement)}
        wrong += [f"{file} imports {name} at its top" for name in sorted(early & lazy)]
    assert wrong == []


def test_no_verb_imports_another() -> None:
    wrong = []
    for file, tree in FILES.items():
        if not file.startswith("cli/"):
            continue
        own = file.split("/")[1].removesuffix(".py")
        for node in ast.walk(tree):
            for name in imports(node):
                verb = [*name.split("."), "", ""][2] if name.startswith("rnnvision.cli") else own
                wrong += [] if verb in (own, "frame") else [f"{file} imports {name}"]
    assert wrong == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Where a package's `__init__` imports its parts, each part counts as a module of its own."""
    graph = {module: imported_modules(tree) - {module} for module, tree in MODULES.items()}
    assert len(graph) > 100
    assert {"rnnvision.nn.layers.layer", "rnnvision.registry"} <= set(graph) & set().union(*graph.values())
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


# Sizes ----------------------------------------------------------------------------------------------------------------


def test_no_folder_has_more_than_fifteen_files() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    counts = {str(f.relative_to(PACKAGE)): len(list(f.glob("*.py"))) for f in folders}
    assert {folder: count for folder, count in counts.items() if count > 15} == {}


def test_no_module_is_longer_than_three_hundred_lines() -> None:
    lengths = {file: len((PACKAGE / file).read_text().splitlines()) for file in FILES}
    assert {file: length for file, length in lengths.items() if length > 300} == {}
