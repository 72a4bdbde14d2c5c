"""Words that are no settings: misspelt keys, groups, options, verbs and flags, and Hydra's grammar out of joint."""

import random
from collections.abc import Callable

from rnnvision.cli.frame.command_line.files import config_dir, options_of
from torture.fuzz.cases import Case
from torture.fuzz.forked import BY_ARGPARSE, VERBS
from torture.fuzz.forms import BROKEN, FLAGS, MAY_PASS, PLAIN, PREFIXES, SWEEPS, TWICE
from torture.fuzz.values import BASES, leaves

LETTERS = "abcdefghijklmnopqrstuvwxyz_"


def mistyped(word: str, random: random.Random) -> str:
    """A word with one or two slips: a letter left out, doubled, swapped with the next one, another one, in capitals."""
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(word))
        slip = random.randrange(6)
        if slip == 0 and len(word) > 2:
            word = word[:at] + word[at + 1 :]
        elif slip == 1:
            word = word[:at] + word[at] + word[at:]
        elif slip == 2 and at + 1 < len(word):
            word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        elif slip == 3:
            word = word[:at] + random.choice(LETTERS) + word[at + 1 :]
        elif slip == 4:
            word = word.upper() if random.random() < 0.3 else word[:at] + word[at].upper() + word[at + 1 :]
        else:
            word = word[:at] + random.choice(LETTERS) + word[at:]
    return word


def key(verb: str, random: random.Random) -> Case:
    base = random.choice(BASES[verb])
    known = {name for name, _ in leaves(verb, base)}
    name, value = random.choice(leaves(verb, base))
    head, dot, last = name.rpartition(".")
    wrong = f"{head}{dot}{mistyped(last, random)}" if random.random() < 0.7 else mistyped(name, random)
    prefix = random.choice(("", "", "", "+", "++", "~", "--"))
    written = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    written = written if written.isalnum() else "1"
    word = f"{prefix}{wrong}" if prefix == "~" else f"{prefix}{wrong}={written}"
    free = wrong in known or (prefix.startswith("+") and _may_be_added(wrong))
    return Case(
        f"key:{prefix or 'plain'}",
        verb,
        (*base, word),
        (wrong, wrong.rpartition(".")[2], wrong.partition(".")[0]),
        free,
    )


def _may_be_added(key: str) -> bool:
    """Of parts of a network, or Hydra's own; null stands for the default of a layer, also of another layer."""
    return key.startswith(("optimizer.lr_factors.", "hydra.", "model.layer."))


def option(verb: str, random: random.Random) -> Case:
    groups: dict[str, tuple[str, ...]] = {
        "train": ("model", "data", "optimizer", "scheduler", "augmentation", "trainer")
    }
    groups["train"] += ("device", "callbacks", "logger", "experiment", "debug", "sweep")
    groups |= {"compare": ("data", "optimizer", "scheduler"), "tune": ("data", "optimizer", "search")}
    groups |= {"benchmark": ("model", "optimizer", "device"), "shards": ("data",)}
    group = random.choice(groups.get(verb, ("device",)))
    legal = options_of([config_dir()], group)
    name = mistyped(random.choice(legal), random)
    form = random.choice(("{}", "{}", "[{}]", "[{},{}]", "{},{}", "_{}", "{}.yaml", "../{}", "'{}'", "/{}"))
    good = random.choice(legal)
    typed = form.format(*((name, good) if form.count("{}") == 2 else (name,)))
    base = tuple(word for word in BASES[verb][0] if not word.startswith(f"{group}"))
    free = name in legal and form in ("{}", "'{}'", "[{}]")
    free |= form in ("[{}]", "[{},{}]") and name in legal and group in ("callbacks", "logger")
    free |= group == "data" and name in legal  # whose images may not be here
    words = (*base, f"{group}={typed}") if random.random() < 0.8 else (*base, "-m", f"{group}={typed}")
    return Case(f"option:{form}", verb, words, (name, group), free)


def prefix(verb: str, random: random.Random) -> Case:
    """A key or group that there is, with what does not belong before or behind it."""
    base = BASES[verb][0]
    names = [name for name, _ in leaves(verb, base)]
    name = random.choice([*names, "model", "data", "trainer", "hydra", "seed", "defaults"])
    form = random.choice(PREFIXES)
    word = form.format(*([name] * form.count("{}")))
    word = (
        word
        if "=" in word or word.startswith("~")
        else f"{word}={random.choice(('1', 'null', 'lstm', '{a:1}', '[1]'))}"
    )
    # Some of it is Hydra's own way to say what is legal: only that it ends well is asked.
    return Case(f"prefix:{form}", verb, (*base, word), (), True)


def broken(verb: str, random: random.Random) -> Case:
    base = BASES[verb][0]
    name = random.choice(
        ("seed", "model.hidden_size", "data.batch_size", "log_dir", "ckpt", "trainer.max_epochs", "tags")
    )
    form = random.choice(BROKEN)
    words = [*base, *(form.format(k=name).split(" ", 1) if form in ("{k} = 1", "{k}= 1") else [form.format(k=name)])]
    if random.random() < 0.3:
        random.shuffle(words)
    # What is a path may have any name; whether `seed` is a key of this verb is another matter.
    return Case("broken:" + form[:20], verb, tuple(words), (), name in ("log_dir", "ckpt", "tags"))


def sweep(verb: str, random: random.Random) -> Case:
    """Several values of a key, of which one cannot be, with -m or without."""
    verb = random.choice(("train", "tune", "benchmark", "compare", "predict")) if verb == "train" else verb
    base = tuple(word for word in BASES[verb][0] if not word.startswith("model.hidden_size="))
    name = random.choice(("seed", "model.hidden_size", "data.batch_size", "trainer.max_epochs", "jobs"))
    form = random.choice(SWEEPS)
    words = [*base, form.format(k=name)]
    if random.random() < 0.6:
        words.insert(random.randrange(len(words) + 1), "-m")
    return Case("sweep:" + form[:24], verb, tuple(words), (), True)


def flag(verb: str, random: random.Random) -> Case:
    words = list(BASES[verb][0])
    at = random.randrange(len(words) + 1)
    flags = random.choice(FLAGS)
    legal = flags in (("--run", "--multirun"), ("-m", "-m"), ("--shell-completion",), ("-sc", "install=bash"))
    legal |= flags[0] in ("--info", "--package", "--config-name")  # Hydra's, of which the next word may be the value
    return Case(f"flag:{flags[0][:20]}", verb, (*words[:at], *flags, *words[at:]), (), legal or not words)


def pair(verb: str, random: random.Random) -> Case:
    """Settings of a training that exclude each other, or what they name."""
    words = random.choice(TWICE)
    verb = random.choice(("train", "train", "compare", "tune"))
    return Case("pair", verb, (*BASES[verb][0], *words), (), words[0] in MAY_PASS or verb != "train")


def plain(verb: str, random: random.Random) -> Case:
    verb = random.choice(BY_ARGPARSE)
    words = random.choice(PLAIN[verb])
    return Case(f"plain:{verb}", verb, words, (), verb in ("results", "doctor", "models") or words in ((), ("os",)))


FAMILIES: tuple[tuple[int, Callable[[str, random.Random], Case]], ...] = (
    (8, key),
    (4, option),
    (2, prefix),
    (4, broken),
    (2, sweep),
    (2, flag),
    (4, pair),
    (2, plain),
)


def random_words(random: random.Random) -> Case:
    family = random.choices([made for _, made in FAMILIES], [weight for weight, _ in FAMILIES])[0]
    return family(random.choice((*VERBS, "train", "train", "train")), random)
