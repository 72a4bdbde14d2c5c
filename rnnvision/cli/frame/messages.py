"""A person's mistake becomes one message: what is wrong, the nearest spelling, the corrected command, what is legal."""

import re
import sys
import traceback
from pathlib import Path

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnvision.checks import choose_one, nearest
from rnnvision.cli.frame.command_line.files import config_dir, options_of, own_folder
from rnnvision.cli.frame.command_line.groups import SEVERAL, default_options
from rnnvision.cli.frame.command_line.known import (
    OTHER_OPTIONS,
    below,
    composed,
    keys,
    near_key,
    options_with,
    own_file_with,
    places_of,
    refusal,
    unchosen,
    walk,
)
from rnnvision.cli.frame.command_line.own_files import misplaced, written
from rnnvision.cli.frame.command_line.several import several_values
from rnnvision.cli.frame.command_line.words import command, yaml_text
from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_USAGE, system_error
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.strangers.reading import read_pairs
from rnnvision.cli.frame.trainer.arguments import trainer_key
from rnnvision.cli.frame.trainer.memory import memory_ran_out
from rnnvision.disk import is_full, no_space
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs.read import CONFIG

CONFIG_ERRORS = (HydraException, OmegaConfBaseException)
COMPOSING = ("hydra", "omegaconf", "antlr4", "yaml")
LAYER = "model.layer."
LONG = 320  # characters: four lines of a terminal
ENTRANT = re.compile(r"models=(?P<label>[^:]+): (?P<inner>[\w.]+[=:].*)")
HINT = re.compile(
    r"(?P<key>[\w./]+)(?:=(?P<value>.*?))?: (?P<why>.*?)(?:; )?"
    r"(?P<legal>choose one of [^;]*)?; did you mean (?P<near>[^?]+)\?"
)


def corrected(wrong: str, right: str) -> str | None:
    """The command that was typed, with `right` in place of `wrong`, ready to copy; None where that was not typed."""
    words = [_replaced(word, wrong, right) for word in sys.argv[1:]]
    return None if words == sys.argv[1:] else command(words)


def _replaced(word: str, wrong: str, right: str) -> str:
    key, _, value = word.partition("=")
    wrong_key, _, wrong_option = wrong.partition("=")
    if key.lstrip("+~") != wrong_key:
        return word
    if not wrong_option:
        return word.replace(wrong, right, 1)
    right_key, _, right_option = right.partition("=")
    replaced, found = re.subn(rf"(?<!\w){re.escape(wrong_option)}(?!\w)", lambda _: right_option, value)
    if re.fullmatch(r"[\w.]+(,[\w.]+)+", replaced):  # of several values the right one may stand there already
        replaced = ",".join(dict.fromkeys(replaced.split(",")))
    return f"{key.replace(wrong_key, right_key)}={replaced}" if found else word


def hint(near: str | None, wrong: str) -> str:
    """The nearest spelling, with the whole command if `wrong` was typed; "" where there is none."""
    if not near:
        return ""
    wrong = re.sub(r"=\[(.*)\]$", r"=\1", wrong)  # of a list the one that is wrong, wherever it stands
    whole = corrected(wrong, near if "=" in near or "=" not in wrong else f"{wrong.partition('=')[0]}={near}")
    return f"did you mean {near}?{f' Try: {whole}' if whole else ''}"


def with_command(message: str) -> str:
    """A message that ends with the nearest spelling, with the corrected command; what is legal comes last."""
    if entrant := ENTRANT.fullmatch(message):
        return _of_entrant(entrant["label"], entrant["inner"])
    found = HINT.fullmatch(message)
    if found is None:
        return message
    key, value, why, legal, near = found.group("key", "value", "why", "legal", "near")
    wrong = key if value is None else f"{key}={value}"
    return _arranged(wrong, why.removesuffix(";").strip(), legal, hint(near, wrong))


def _of_entrant(label: str, message: str) -> str:
    """What is wrong with one of the networks of compare, which is corrected within its own words."""
    found = HINT.fullmatch(message)
    if found is None:
        return f"models={label}: {message}"
    key, value, why, legal, near = found.group("key", "value", "why", "legal", "near")
    short, right = key.removeprefix("model."), near.removeprefix("model.")
    wrong, right = (short, right) if value is None else (f"={value}", f"={near.rpartition('=')[2]}")
    whole = [w.replace(label, label.replace(wrong, right)) if w.startswith("models=") else w for w in sys.argv[1:]]
    tried = f" Try: {command(whole)}" if whole != sys.argv[1:] else ""
    given = key if value is None else f"{key}={value}"
    return _arranged(f"models={label}: {given}", why.strip(" ;"), legal, f"did you mean {near}?{tried}")


def verdict(error: Exception, verb: str) -> tuple[int, str | None]:
    """The exit code, and the message; None where the traceback should be seen, because the defect is ours."""
    if isinstance(error, CONFIG_ERRORS):
        return EXIT_USAGE, explain(error, config_dir(), verb)
    if isinstance(error, UsageError):
        return EXIT_USAGE, with_command(str(error))
    told = str(error) if isinstance(error, FailureError) else no_space(error) if is_full(error) else None
    if isinstance(error, PermissionError) and error.filename:
        told, _ = system_error(error, of_run=False)
    return EXIT_FAILURE, told or memory_ran_out(error) or _lost_worker(error)


def _lost_worker(error: Exception) -> str | None:
    """Of a worker that was killed: torch raises that wherever this process is just then, often in the network."""
    if not isinstance(error, RuntimeError) or not str(error).startswith("DataLoader worker (pid"):
        return None
    return "a worker died while it read; was memory short? Try a smaller data.prefetch, or data.num_workers=0"


def no_such(wrong: str, legal: list[str], near: str | None, typed: str) -> str:
    """A key or an option (KEY=VALUE) that there is not; `near` replaces `typed` in the corrected command."""
    kind = "option" if "=" in wrong else "key"
    name = re.split(r"[.=]", wrong)[-1]
    file = None if corrected(typed, "") else own_file_with(name)
    where = f"{file}: " if file else ""
    legal_ones = f"choose one of {', '.join(legal)}"
    return _arranged(f"{where}{wrong}", f"there is no such {kind}", legal_ones, hint(near, typed))


def _arranged(wrong: str, why: str, legal: str | None, right: str) -> str:
    """The parts of a message; where it is long, the corrected command comes before the list of what is legal."""
    message = f"{wrong}: {'; '.join(filter(None, (why, legal, right)))}"
    return message if len(message) <= LONG else f"{wrong}: {'; '.join(filter(None, (why, right, legal)))}"


def explain(error: Exception, conf: Path, verb: str) -> str:
    """The message for an error that Hydra or OmegaConf raised while the configuration was put together."""
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        missing, groups = str(error.missing_cfg_file), default_options(conf, verb)
        if text.startswith("Cannot find primary config"):
            places = " or ".join(filter(None, ("conf/", str(own_folder() or ""))))
            return f"--config-name {missing}: there is no such file in {places}; leave it out, for that of {verb}"
        group, _, option = missing.partition("/") if missing.partition("/")[0] in groups else missing.rpartition("/")
        inner, _, name = option.partition("/")
        if error.options is None and group:  # one of a list, for which Hydra has no names
            return _missing_option(group, option, options_of([conf, *filter(None, [own_folder()])], group), conf)
        if name and inner in groups and corrected(f"{group}={option}", f"{group}=") is None:
            return _beside_the_groups(inner, name)
        if error.options is not None:
            return _missing_option(group, option, [o for o in error.options if not o.startswith("_")], conf)
    if (found := re.search(r"Could not override '[^']*/([^'/]+)@", text)) and found[1] in default_options(conf, verb):
        return _beside_the_groups(found[1], "OPTION")
    if isinstance(error, ConfigCompositionException) and (found := re.search(r"Could not override '([^']+)'", text)):
        return _missing_key(found[1], conf, verb)
    if found := re.search(r"Could not append to config\. An item is already at '([^']+)'", text):
        whole = command(word.lstrip("+") if word.startswith(f"+{found[1]}=") else word for word in sys.argv[1:])
        return f"+{found[1]}: the key is there already; leave out the +: {whole}"
    if found := re.search(r"Ambiguous value for argument '([^']*)'|Sweep parameters '(.*)' requires", text):
        return several_values(found[1] or found[2], verb, conf)
    if found := re.search(r"Multiple values for (\S+)\. To override a value use '(override [^']+)'", text):
        file = f"{own_folder()}: a file there" if own_folder() else "a file"
        return f"{file} chooses {found[1]} again; write '{found[2].replace('override ', 'override /')}' in its defaults"
    if found := re.search(r"ValueError raised while resolving interpolation: (.*)", text):
        return found[1]
    return text.strip().splitlines()[0]


def composing_fault(error: Exception) -> str | None:
    """What to say of an error that Hydra, OmegaConf or a parser of theirs came to; None for others."""
    last = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        last = frame
    place = "" if last is None else str(last.f_globals.get("__name__"))
    if not isinstance(error, (ValueError, TypeError, KeyError, RecursionError, AttributeError, AssertionError)):
        return None
    if place.partition(".")[0] not in COMPOSING:
        return None
    why = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"the settings cannot be put together: {why}; typed: {command(sys.argv[1:])}"


def _beside_the_groups(group: str, option: str) -> str:
    """A file of a group whose defaults list has GROUP: OPTION, which Hydra looks for within the file's own group."""
    file = own_file_with(f"{group}:")
    return f"{f'{file}: ' if file else ''}{group}: {option}: write - override /{group}: {option} under its defaults"


def _missing_option(group: str, option: str, legal: list[str], conf: Path) -> str:
    wrong = f"{group}={option}"
    if place := places_of(group, option, conf):
        flags, right, why = place
        words = [*flags, *(_replaced(word, wrong, right) for word in sys.argv[1:])]
        return f"{wrong}: there is no such option; {why}. Try: {command(words)}"
    near = OTHER_OPTIONS.get(wrong) or nearest(option, legal)
    return no_such(wrong, legal, near and f"{group}={near}", wrong)


def _missing_key(key: str, conf: Path, verb: str) -> str:
    if key.startswith("hydra."):
        hydra_config = composed(conf, verb, with_hydra=True).hydra
        near = nearest(key, [f"hydra.{own}" for own in walk(OmegaConf.to_container(hydra_config))])
        lists = f"{command(['--cfg', 'hydra'])} lists Hydra's own"
        return f"{key}: {'; '.join(filter(None, ('there is no such key', hint(near, key), lists)))}"
    config = composed(conf, verb)
    if key.startswith(LAYER) and "recurrence" in config.get("model", {}):
        return with_command(_layer_option(key, config))
    group, _, name = key.partition(".")
    if group == "trainer" and "trainer" in config and (why := trainer_key(name)):
        return f"{key}: {why}"
    chosen = written(config).get(group, {})
    if why := misplaced(group, chosen, verb, conf):
        return f"{group}={yaml_text(chosen)}: {why}"
    if _is_in_resumed_run(key):  # whose configuration takes the place of this one
        whole = command(f"+{word}" if word.startswith(f"{key}=") else word for word in sys.argv[1:])
        return f"{key}: is of a callback or logger that only the resumed run has; write it with a +: {whole}"
    legal = keys(config, conf, verb)
    if inner := below(key, legal):
        return f"{key}: cannot be replaced as a whole; choose one of {', '.join(inner)}"
    if group in SEVERAL and (why := unchosen(config.get(group), group, name, conf)):
        return f"{key}: {why}"
    if group in default_options(conf, verb) and (options := options_with(name, conf / group)):
        others = f"those that have it are {group}={', '.join(options)}"
        return f"{key}: this {group} has no such key, {others}; choose one of {', '.join(below(group, legal))}"
    near = near_key(key, (k for k in legal if k not in (key, group)))
    if instead := refusal(key, verb, legal):
        value = next((word.partition("=")[2] for word in sys.argv[1:] if word.startswith(f"{key}=")), "")
        instead = instead.replace("epochs:N", f"epochs:{value}") if value.isdigit() else instead
        instead = instead.replace("=FILE", f"={value}") if value else instead
        return f"{key}: there is no such key in {verb}; {instead}"
    if near is None and "." in key:
        legal = [k for k in legal if k.startswith(key.partition(".")[0] + ".")] or legal
    parent = (near or key).rpartition(".")[0]
    shown = dict.fromkeys(k for k in legal if k.rpartition(".")[0] == parent)
    return no_such(key, list(shown or dict.fromkeys(k.partition(".")[0] for k in legal)), near, key)


def _is_in_resumed_run(key: str) -> bool:
    """Whether the run of resume=RUN has the callback or logger of a key."""
    run = next((word.partition("=")[2] for word in sys.argv[1:] if word.startswith("resume=")), None)
    file = Path(expanded(run or "")) / CONFIG
    if run is None or not file.is_file():
        return False
    saved = walk(OmegaConf.to_container(read_pairs(file)))
    return key.startswith(("callbacks.", "logger.")) and key.rpartition(".")[0] in saved


def _layer_option(key: str, config: DictConfig) -> str:
    """A key of model.layer that the configuration does not have: what the layer is, and what it has."""
    from rnnvision.nn import RECURRENCES
    from rnnvision.nn.layers import no_such_option

    recurrence, name = str(config.model.recurrence), key.removeprefix(LAYER)
    if recurrence in RECURRENCES:
        if name in RECURRENCES[recurrence].options():
            return f"{key}: is not in this model's file; write it as +{key}=VALUE"
        return f"{key}: {no_such_option(name, recurrence)}"
    has = [f"{LAYER}{own}" for own in config.model.get("layer") or {}]  # of a plugin that is not imported yet
    known = f"; {choose_one(key, has)}" if has else ""
    return f"{key}: the file of this model (recurrence {recurrence}) has no such key{known}; +{key}=VALUE adds it"
