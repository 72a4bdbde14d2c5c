"""Names that are imported when they are first asked for: every one of them is there, and nothing before."""

import importlib
import subprocess
import sys

import pytest

PACKAGES = ("rnnvision", "rnnvision.data", "rnnvision.insight", "rnnvision.training")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there_and_another_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(package)
    assert len(module.__all__) == len(set(module.__all__)) > 2
    for name in module.__all__:
        assert getattr(module, name) is getattr(module, name)
        assert name in vars(module)  # so that it is looked for once
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_predicting_imports_no_lightning() -> None:
    """It takes longer to import than torch."""
    code = "import sys, rnnvision.inference; print([m for m in ('lightning', 'hydra', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
