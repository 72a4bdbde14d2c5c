"""rnnvision train KEY=VALUE ...: train a network, then test its best checkpoint.

What wins, strongest first: KEY=VALUE on the command line, debug=, sweep=, experiment=, conf/train.yaml, the groups.
"""

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.reporting.write import require_packages, write_report
from rnnvision.cli.frame.setup import Training, make_training, takes_steps
from rnnvision.cli.train.balance import balance_lines
from rnnvision.cli.train.parts import part_lines
from rnnvision.cli.train.resume import kept_if_refused, resumed
from rnnvision.cli.train.resume.changes import ENTRY, configuration, place_lines, trained_on
from rnnvision.cli.train.saving import require_space
from rnnvision.cli.train.score import make_tester, score
from rnnvision.cli.train.stages import Stage, stages_of
from rnnvision.cli.train.sweep_job import run_as_command
from rnnvision.runs import RunFolder, is_first_process


def main() -> None:
    run_verb("train", train)


def train(cfg: DictConfig, run: RunFolder) -> float:
    """One run: its stages, then the test of the best checkpoint; returns its val/accuracy."""
    in_a_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    if in_a_sweep and _may_have_several_processes(cfg):
        return run_as_command(run)
    if cfg.resume is not None:
        run.is_as_found = True
        cfg = resumed(cfg, run)
    if cfg.get("report"):
        require_packages()
    training = make_training(cfg, run)
    training.learner.description |= {ENTRY: configuration(plain(cfg)), "trained_on": trained_on(training)}
    stages = stages_of(training)
    require_space(training)
    tester = make_tester(training)
    if is_first_process():
        print(_first_lines(training, stages), flush=True)
    with training.trackers.followed(cfg):
        with kept_if_refused(cfg, run):
            figures = {key: value for stage in stages for key, value in stage.run().items()}
        if not is_first_process():
            return 0.0
        found = score(training, tester, figures)
        if cfg.get("report"):
            print("\n".join(write_report(run.path, run.path, tested=training.data.splits.test)))
    return found


def _may_have_several_processes(cfg: DictConfig) -> bool:
    one = str(cfg.trainer.get("devices", 1)) in ("1", "[0]")
    return str(cfg.trainer.get("strategy", "auto")).startswith("ddp") or not one


def _first_lines(training: Training, stages: list[Stage]) -> str:
    from rnnvision.cli.frame.device import device_line, kernel_lines

    cfg, trainer = training.cfg, training.trainer
    lines = [
        f"network   {_network(training)}",
        f"data      {training.data.summary()}",
        *(f"classes   {line}" for line in training.data.class_lines()),
        *(f"note      {note}" for note in training.data.known.notes),
        *part_lines(training),
        *balance_lines(training.data, training.learner.class_weight),
        f"device    {device_line(trainer, cfg.trainer.precision)}",
        *kernel_lines(training.learner.network, training.data.input_shape, trainer, training.data.batch_size),
        *place_lines(training),
        *_batch_lines(training),
        *(stage.line for stage in stages if stage.line),
        f"folder    {training.run.shown()}",
    ]
    return "\n".join(lines)


def _batch_lines(training: Training) -> list[str]:
    """Of the batches of validation and test, where the network's need of memory has chosen them."""
    from rnnvision.insight.memory import LARGEST

    size = training.data.eval_batch_size
    if not training.data.eval_batch_size_is_free or size >= LARGEST:
        return []
    return [f"memory    batches of {size} images in validation and test, which is what this network leaves room for"]


def _network(training: Training) -> str:
    """The network, what of it differs from its defaults, and its size, which a fit in one go has yet to find."""
    from rnnvision.nn import changed_arguments

    arguments, network = training.learner.description["network"], training.learner.network
    shape = " x ".join(map(str, arguments["input_shape"]))
    changed = "".join(f", {key} {value}" for key, value in changed_arguments(**arguments).items())
    trained = takes_steps(network)
    size = f", {sum(p.numel() for p in network.parameters()):,} parameters" if trained else ""
    option = HydraConfig.get().runtime.choices.get("model")
    chosen = f"{option}: " if option != arguments["name"] and training.cfg.resume is None else ""
    return f"{chosen}{arguments['name']}{changed}, {shape} -> {arguments['num_classes']}{size}"
