"""Files that a user writes: experiments and options of a folder of one's own, tables of labels, names of classes."""

import random

from torture.fuzz.cases import Case
from torture.fuzz.values import BASES

GLOBAL = b"# @package _global_\n"
GOOD = GLOBAL + b"defaults:\n  - override /model: gru\n  - _self_\n\nseed: 3\nmodel:\n  hidden_size: 16\n"
BOM = b"\xef\xbb\xbf"
# What may stand in an experiment, and whether it may be accepted.
EXPERIMENTS: dict[str, tuple[bytes, bool]] = {
    "good": (GOOD, True),
    "crlf": (GOOD.replace(b"\n", b"\r\n"), True),
    "bom": (BOM + GOOD, True),
    "no_package": (GOOD.removeprefix(GLOBAL), False),
    "other_package": (GOOD.replace(b"_global_", b"model"), False),
    "package_typo": (GOOD.replace(b"@package", b"@pakcage"), False),
    "tabs": (GOOD.replace(b"  hidden", b"\thidden"), False),
    "indent": (GOOD.replace(b"  hidden_size: 16", b"hidden_size: 16"), False),
    "deeper": (GOOD.replace(b"seed: 3", b"  seed: 3"), False),
    "twice": (GOOD + b"seed: 4\n", False),
    "twice_below": (GOOD + b"  hidden_size: 17\n", False),
    "group_twice": (GOOD.replace(b"  - _self_", b"  - override /model: lstm\n  - _self_"), False),
    "latin_1": (GOOD + "# fÃ¼r später\n".encode("latin-1"), False),
    "utf_16": (GOOD.decode().encode("utf-16"), False),
    "nul": (GOOD + b"tags: [a\x00b]\n", False),
    "control": (GOOD + b"tags: ['a\x1bb']\n", False),
    "list": (GLOBAL + b"- a\n- b\n", False),
    "scalar": (GLOBAL + b"lstm\n", False),
    "number": (GLOBAL + b"5\n", False),
    "empty": (b"", False),
    "only_package": (GLOBAL, True),
    "only_null": (GLOBAL + b"null\n", True),
    "unknown_group": (GOOD.replace(b"/model", b"/modle"), False),
    "unknown_option": (GOOD.replace(b"gru", b"gruu"), False),
    "no_override": (GOOD.replace(b"override /model", b"/model"), False),
    "no_slash": (GOOD.replace(b"override /model", b"override model"), False),
    "beside": (GOOD.replace(b"override /model", b"model"), False),
    "defaults_map": (GLOBAL + b"defaults:\n  model: gru\n", False),
    "defaults_scalar": (GLOBAL + b"defaults: gru\n", False),
    "defaults_number": (GLOBAL + b"defaults:\n  - 5\n", False),
    "defaults_nested": (GLOBAL + b"defaults:\n  - [a, b]\n", False),
    "defaults_null": (GLOBAL + b"defaults:\n  -\n", False),
    "defaults_two_keys": (GLOBAL + b"defaults:\n  - override /model: gru\n    override /data: digits\n", False),
    "defaults_last": (GLOBAL + b"seed: 1\ndefaults:\n  - override /model: gru\n", True),
    "no_self": (GOOD.replace(b"  - _self_\n", b""), True),
    "self_first": (
        GOOD.replace(b"  - override /model: gru\n  - _self_", b"  - _self_\n  - override /model: gru"),
        True,
    ),
    "self_twice": (GOOD.replace(b"  - _self_", b"  - _self_\n  - _self_"), False),
    "cycle": (GLOBAL + b"defaults:\n  - mine\n  - _self_\nseed: 1\n", False),
    "cycle_of_two": (GLOBAL + b"defaults:\n  - other\n  - _self_\nseed: 1\n", False),
    "hydra": (GOOD + b"hydra:\n  job:\n    name: x\n", False),
    "hydra_number": (GOOD + b"hydra: 5\n", False),
    "unknown_key": (GOOD + b"sede: 4\n", False),
    "unknown_key_below": (GOOD.replace(b"hidden_size", b"hiden_size"), False),
    "wrong_type": (GOOD.replace(b"16", b"many"), False),
    "quoted": (GOOD.replace(b"16", b"'16'"), False),
    "float": (GOOD.replace(b"16", b"16.5"), False),
    "nan": (GOOD.replace(b"16", b".nan"), False),
    "yes": (GOOD.replace(b"hidden_size: 16", b"bidirectional: yes"), True),
    "null": (GOOD.replace(b"16", b""), False),
    "exponent": (GOOD + b"optimizer:\n  lr: 1e-3\n", True),
    "comma": (GOOD + b"optimizer:\n  lr: 1,5\n", False),
    "percent": (GOOD + b"data:\n  val_fraction: 10%\n", False),
    "group_as_word": (GOOD.replace(b"model:\n  hidden_size: 16", b"model: gru"), False),
    "group_as_list": (GOOD.replace(b"model:\n  hidden_size: 16", b"model: [gru]"), False),
    "group_null": (GOOD.replace(b"model:\n  hidden_size: 16", b"model:"), False),
    "dotted": (GOOD.replace(b"model:\n  hidden_size: 16", b"model.hidden_size: 16"), False),
    "number_key": (GOOD + b"5: 6\n", False),
    "list_key": (GOOD + b"? [a, b]\n: 6\n", False),
    "null_key": (GOOD + b"~: 6\n", False),
    "missing": (GOOD.replace(b"16", b"???"), True),
    "interpolation": (GOOD.replace(b"16", b"${nothing}"), False),
    "self_reference": (GOOD.replace(b"16", b"${model.hidden_size}"), False),
    "open": (GOOD.replace(b"16", b"[16"), False),
    "quote": (GOOD.replace(b"16", b"'16"), False),
    "colon": (GOOD.replace(b"hidden_size: 16", b"hidden_size 16"), False),
    "equals": (GOOD.replace(b"hidden_size: 16", b"hidden_size=16"), False),
    "anchor": (GOOD.replace(b"16", b"*nothing"), False),
    "tag": (GOOD.replace(b"16", b"!!python/object/apply:os.getpid []"), False),
    "binary_tag": (GOOD.replace(b"16", b"!!binary aGVsbG8="), False),
    "date": (GOOD + b"tags: [2026-11-28]\n", True),
    "set": (GOOD + b"tags: !!set {a, b}\n", False),
    "merge": (GOOD + b"<<: 5\n", False),
    "documents": (GOOD + b"---\nseed: 4\n", False),
    "directive": (b"%YAML 9.9\n---\n" + GOOD, False),
    "json": (b'{"seed": 3}', False),
    "python": (b"import torch\nprint(1)\n", False),
    "long_line": (GOOD + b"tags: [" + b"a" * 1_000_000 + b"]\n", False),
    "many_keys": (GOOD + b"".join(b"key_%d: 1\n" % i for i in range(20_000)), False),
    "deep": (GOOD + b"tags: " + b"[" * 500 + b"]" * 500 + b"\n", False),
    "random": (bytes(range(256)) * 4, False),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), False),
}


def experiment(_: str, random: random.Random) -> Case:
    """An experiment in a folder of the user's own, or in conf/ of the current folder."""
    kind = random.choice(list(EXPERIMENTS))
    content, may_pass = EXPERIMENTS[kind]
    files = {"own/experiment/mine.yaml": content}
    if kind == "cycle_of_two":
        files["own/experiment/other.yaml"] = content.replace(b"other", b"mine")
    verb = random.choice(("train", "train", "compare", "tune"))
    base = ("model.num_layers=1,2",) if verb == "tune" else BASES[verb][0]
    words = ("--config-dir", "own", "experiment=mine")
    return Case(f"experiment:{kind}", verb, (*words, *base), (), may_pass or verb != "train", files)


OPTIONS: dict[str, tuple[str, bytes, bool]] = {
    "model": ("model", b"name: sequence_classifier\nrecurrence: lstm\nhidden_size: 8\n", True),
    "model_list": ("model", b"- a\n", False),
    "model_word": ("model", b"lstm\n", False),
    "model_empty": ("model", b"", False),
    "model_no_name": ("model", b"hidden_size: 8\n", False),
    "model_bad_name": ("model", b"name: nope\n", False),
    "model_name_number": ("model", b"name: 5\n", False),
    "model_unknown_key": ("model", b"name: sequence_classifier\nrecurrence: lstm\nsize: 8\n", False),
    "model_base": ("model", b"defaults:\n  - lstm\n  - _self_\nhidden_size: 8\n", True),
    "model_no_base": ("model", b"defaults:\n  - lstmm\n", False),
    "model_layer_list": ("model", b"defaults:\n  - lstm\n  - _self_\nlayer: [1]\n", False),
    "model_layer_key": ("model", b"defaults:\n  - lstm\n  - _self_\nlayer:\n  nope: 1\n", False),
    "model_global": ("model", GLOBAL + b"name: lstm\n", False),
    "data": ("data", b"defaults:\n  - digits\n  - _self_\nbatch_size: 16\n", True),
    "data_unknown_key": ("data", b"defaults:\n  - digits\n  - _self_\nimage_size: 16\n", False),
    "data_no_name": ("data", b"root: .\n", False),
    "optimizer": ("optimizer", b"name: sgd\nlr: 0.1\n", True),
    "optimizer_class": ("optimizer", b"_target_: torch.optim.SGD\nlr: 0.1\n", False),
    "optimizer_unknown": ("optimizer", b"name: sgd\nlr: 0.1\nbetas: [0.9, 0.9]\n", False),
    "optimizer_text": ("optimizer", b"name: sgd\nlr: fast\n", False),
    "scheduler": ("scheduler", b"name: cosine\nwarmup: 2\n", False),
    "trainer": ("trainer", b"max_epochs: 2\n", True),
    "trainer_unknown": ("trainer", b"max_epoch: 2\n", False),
    "trainer_list": ("trainer", b"[1]\n", False),
    "callbacks": ("callbacks", b"mine:\n  _target_: os.system\n", False),
    "callbacks_word": ("callbacks", b"mine: best\n", False),
    "callbacks_no_target": ("callbacks", b"mine:\n  patience: 5\n", False),
    "logger": ("logger", b"mine:\n  _target_: lightning.pytorch.loggers.CSVLogger\n", False),
    "augmentation": ("augmentation", b"flip: 2\n", False),
    "augmentation_unknown": ("augmentation", b"flp: 0.5\n", False),
    "device": ("device", b"accelerator: tpu\n", False),
    "sweep_no_package": ("sweep", b"hydra:\n  sweeper:\n    params:\n      seed: 1,2\n", False),
    "debug_no_package": ("debug", b"trainer:\n  max_epochs: 1\n", False),
    "search": ("search", b"# @package _global_\nspace: [5]\n", False),
}


def option(_: str, random: random.Random) -> Case:
    """An option of a group in a folder of the user's own."""
    kind = random.choice(list(OPTIONS))
    group, content, may_pass = OPTIONS[kind]
    change = random.choice(("as_it_is", "as_it_is", "crlf", "bom", "tab", "latin_1", "cut"))
    if change == "crlf":
        content = content.replace(b"\n", b"\r\n")
    elif change == "bom":
        content = BOM + content
    elif change == "tab":
        content, may_pass = content + b"\tseed: 1\n", False
    elif change == "latin_1":
        content, may_pass = content + b"# sp\xe4ter\n", False
    elif change == "cut":
        content, may_pass = content[: random.randrange(len(content) + 1)], True
    verb = "tune" if group == "search" else "train"
    folder = random.choice(("own", "my own", "conf")) if random.random() < 0.3 else "own"
    words = ("--config-dir", folder, f"{group}=mine")
    files = {f"{folder}/{group}/mine.yaml": content}
    return Case(f"option_file:{kind}:{change}", verb, words, (), may_pass, files)


ROWS = b"path,label,split\n" + b"".join(
    b"%s/%s/%d.png,%s,%s\n" % (split, label, number, label, split)
    for split, count in ((b"train", 6), (b"test", 2))
    for label in (b"cat", b"dog")
    for number in range(count)
)
TABLES: dict[str, tuple[bytes, bool]] = {
    "good": (ROWS, True),
    "empty": (b"", False),
    "header": (b"path,label,split\n", False),
    "no_header": (ROWS.partition(b"\n")[2], True),
    "semicolons": (ROWS.replace(b",", b";"), True),
    "tabs": (ROWS.replace(b",", b"\t"), True),
    "spaces": (ROWS.replace(b",", b" "), False),
    "bom": (BOM + ROWS, True),
    "utf_16": (ROWS.decode().encode("utf-16"), True),
    "latin_1": (ROWS.replace(b"cat,", b"k\xe4tzchen,"), False),
    "nul": (ROWS.replace(b"cat,", b"c\x00t,"), False),
    "quote": (ROWS.replace(b"cat,", b'"cat,'), False),
    "crlf": (ROWS.replace(b"\n", b"\r\n"), True),
    "cr": (ROWS.replace(b"\n", b"\r"), True),
    "short_row": (ROWS + b"train/cat/0.png\n", False),
    "long_row": (ROWS + b"train/cat/0.png,cat,train,x,y\n", False),
    "missing_file": (ROWS + b"train/cat/99.png,cat,train\n", False),
    "outside": (ROWS + b"../seven.png,cat,train\n", False),
    "absolute": (ROWS + b"/etc/passwd,cat,train\n", False),
    "no_label": (ROWS + b"train/cat/0.png,,train\n", False),
    "no_split": (ROWS.replace(b",train\n", b",\n"), False),
    "other_split": (ROWS.replace(b",test\n", b",tests\n"), False),
    "twice": (ROWS + b"train/cat/0.png,dog,train\n", False),
    "one_class": (ROWS.replace(b",dog,", b",cat,"), False),
    "one_column": (b"path\ntrain/cat/0.png\n", False),
    "two_paths": (ROWS.replace(b"label", b"path"), False),
    "long_cell": (ROWS + b"train/cat/0.png," + b"x" * 200_000 + b",train\n", False),
    "bytes": (bytes(range(256)) * 20, False),
    "html": (b"<html><body>404</body></html>\n", False),
}


def table(_: str, random: random.Random) -> Case:
    """A table of labels beside images."""
    kind = random.choice(list(TABLES))
    content, may_pass = TABLES[kind]
    words = ("data=csv", "data.root=../given/images", "data.labels=../../try/mine.csv", "data.image_size=8")
    return Case(f"table:{kind}", "train", words, (), may_pass, {"mine.csv": content})


PICTURES: dict[str, bytes] = {
    "empty": b"",
    "text": b"no picture\n",
    "cut": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00",
    "bytes": bytes(range(256)),
}


def source(_: str, random: random.Random) -> Case:
    """What is no picture, where one is classified or watched."""
    kind = random.choice(list(PICTURES))
    verb = random.choice(("predict", "watch"))
    name = random.choice(("a.png", "a.jpg", "a", "a b.png", "[a].png", "-a.png", "a\nb.png", "\u202ea.png", "a,b.png"))
    typed = random.choice(("source={}", "source='{}'", "{}", "source=[{}]")).format(name)
    words = ("ckpt=../given/run", typed)
    return Case(f"source:{kind}", verb, words, (), False, {name: PICTURES[kind]})


FAMILIES = ((6, experiment), (5, option), (3, table), (2, source))


def random_file(random: random.Random) -> Case:
    return random.choices([made for _, made in FAMILIES], [weight for weight, _ in FAMILIES])[0]("train", random)
