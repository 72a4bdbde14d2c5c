"""Exported files, and files of weights that others have published, forged."""

import io
import json
import os
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from torture.forgeries.archives import _Runs, content_of, laughs, repack, tensor
from torture.forgeries.checkpoints import ARGUMENTS, ENTRIES
from torture.forgeries.forgery import ONNX, OUTSIDE, PT2, SAFETENSORS, Forgery, put

KEY = "rnnvision"
OPERATOR, SIZE = r'"target": "torch.ops[^"]+"', r'("expr_str": )"[^"]*"'  # in the JSON of a program


def card(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], object]:
    """The card of the safetensors file changed, and its digest computed anew."""

    def forge(box: Path) -> None:
        header, rest = _header(box / SAFETENSORS)
        header["__metadata__"][KEY] = _signed(header["__metadata__"][KEY], change)
        _write(box / SAFETENSORS, header, rest)

    return forge


def _signed(text: str, change: Callable[[dict[str, Any]], Any]) -> str:
    from rnnvision.inference.export.card import dumped

    told = json.loads(text)
    told.pop("digest")
    change(told)
    return dumped(told)


def _header(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _write(path: Path, header: Any, rest: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + rest)


def header(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        found, rest = _header(box / SAFETENSORS)
        change(found)
        _write(box / SAFETENSORS, found, rest)

    return forge


def raw(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda box: (box / name).write_bytes(content)


def graph(change: Callable[[Any], Any]) -> Callable[[Path], object]:
    """The ONNX graph changed, and the digests of its card computed anew."""

    def forge(box: Path) -> None:
        import onnx

        from rnnvision.inference.export.onnx_file import content_of as digest

        model = onnx.load(str(box / ONNX), load_external_data=False)
        change(model)
        for entry in model.metadata_props:
            if entry.key == KEY:
                entry.value = _signed(entry.value, lambda told: told["exported"].update(content=digest(model)))
        (box / ONNX).write_bytes(model.SerializeToString())

    return forge


def onnx_card(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], object]:
    def edit(model: Any) -> None:
        for entry in model.metadata_props:
            if entry.key == KEY:
                entry.value = _signed(entry.value, change)

    return graph(edit)


def _outside(location: str) -> Callable[[Any], object]:
    def edit(model: Any) -> None:
        held = model.graph.initializer[0]
        held.ClearField("raw_data")
        held.data_location = 1
        entry = held.external_data.add()
        entry.key, entry.value = "location", location

    return edit


def _huge_constant(model: Any) -> None:
    import onnx.helper as make

    shape = make.make_tensor("huge_shape", 7, [2], [1 << 20, 1 << 20])
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, make.make_node("ConstantOfShape", ["huge_shape"], ["huge"]))
    model.graph.node.insert(1, make.make_node("ReduceSum", ["huge"], ["total"], keepdims=0))
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[list(last.output).index("logits")] = "logits_before"
    model.graph.node.append(make.make_node("Add", ["logits_before", "total"], ["logits"]))


def _other_domain(model: Any) -> None:
    model.graph.node[0].domain = "evil.domain"


def pt2(change: Callable[[dict[str, bytes]], Any], **how: Any) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        repack(box / PT2, change, **how)

    return forge


def _program(change: Callable[[str], str]) -> Callable[[dict[str, bytes]], object]:
    def edit(entries: dict[str, bytes]) -> None:
        name = next(name for name in entries if "/models/" in name and name.endswith(".json"))
        entries[name] = change(entries[name].decode()).encode()

    return edit


def published(content: Any) -> Callable[[Path], object]:
    return lambda box: torch.save(content, box / "weights.pth")


def archived(value: bytes, compression: int = zipfile.ZIP_STORED) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        with zipfile.ZipFile(box / "weights.pth", "w", compression) as made:
            made.writestr("w/data.pkl", value)
            made.writestr("w/byteorder", "little")
            made.writestr("w/data/0", bytes(16))
            made.writestr("w/version", "3\n")

    return forge


def _sequencer(**shapes: Any) -> dict[str, torch.Tensor]:
    made = {
        "stem.proj.weight": torch.ones(4, 3, 7, 7),
        "stages.0.blocks.0.rnn_tokens.rnn_v.weight_ih_l0": torch.ones(4, 4),
    }
    return {**made, "head.weight": torch.ones(5, 4), "head.bias": torch.ones(5), **shapes}


def _all() -> list[Forgery]:
    safetensors: dict[str, Callable[[Path], object]] = {
        **{
            f"card: {key}={value!s:.40}": card(put("network", key, value))
            for key in ("hidden_size", "num_layers", "input_shape", "recurrence")
            for value in ARGUMENTS[key][:4]
        },
        **{
            f"card: {key}: {value!s:.40}": card(put(key, value))
            for key in ("class_names", "normalisation", "temperature", "plugins", "data")
            for value in ENTRIES[key][:3]
        },
        "card: nested 100,000 deep": header(lambda h: h["__metadata__"].update({KEY: "[" * 100_000})),
        "card: none": header(lambda h: h["__metadata__"].pop(KEY)),
        "header: of 2**62 bytes": raw(SAFETENSORS, struct.pack("<Q", 1 << 62) + b"{}"),
        "header: nested 100,000 deep": raw(SAFETENSORS, struct.pack("<Q", 100_000) + b"[" * 100_000),
        "header: a list": raw(SAFETENSORS, struct.pack("<Q", 2) + b"[]"),
        "header: a weight beyond the file": header(lambda h: h["head.weight"].update(data_offsets=[0, 1 << 50])),
        "header: a weight of another type": header(lambda h: h["head.weight"].update(dtype="I32")),
        "header: a weight of 2**60": header(lambda h: h["head.weight"].update(shape=[1 << 30, 1 << 30])),
        "header: a weight less": header(lambda h: h.pop("head.weight")),
    }
    graphs: dict[str, Callable[[Path], object]] = {
        "weights in /etc/passwd": graph(_outside("/etc/passwd")),
        "weights in a file beside": graph(_outside(f"../{OUTSIDE}/victim")),
        "weights in a missing file": graph(_outside("missing")),
        "weights in a pipe": _weights_in_a_pipe,
        "a constant of 2**40": graph(_huge_constant),
        "an operator of another domain": graph(_other_domain),
        "no nodes": graph(lambda m: m.graph.ClearField("node")),
        "no outputs": graph(lambda m: m.graph.ClearField("output")),
        "no graph": graph(lambda m: m.ClearField("graph")),
        "garbage": raw(ONNX, b"\xff" * 10_000),
        "nested groups": raw(ONNX, b"\x3a\x80\x01" * 50_000),
        "card: inputs a list": onnx_card(lambda told: told["exported"].update(inputs=[1])),
        "card: outputs without shapes": onnx_card(lambda told: told["exported"].update(outputs={"logits": {}})),
        "card: format step": onnx_card(lambda told: told["exported"].update(format="step")),
        "card: format nothing": onnx_card(lambda told: told["exported"].pop("format")),
        "card: 3 classes": onnx_card(
            lambda told: (told.update(class_names=["a", "b", "c"]), told["network"].update(num_classes=3))
        ),
        "card: other images": onnx_card(lambda told: told["network"].update(input_shape=[1, 9, 9])),
    }
    programs: dict[str, Callable[[Path], object]] = {
        "compressed": pt2(lambda entries: None, compression=zipfile.ZIP_DEFLATED),
        "a bomb": pt2(
            lambda entries: entries.update({"model/extra/bomb": bytes(400_000_000)}), compression=zipfile.ZIP_DEFLATED
        ),
        "one entry more": pt2(lambda entries: entries.update({"model/evil.py": b"open('ran', 'w')"})),
        "os.system as an operator": pt2(
            _program(lambda text: re.sub(OPERATOR, '"target": "os.system"', text, count=1))
        ),
        "a guard that is code": pt2(
            _program(lambda text: text.replace('"guards_code": []', "\"guards_code\": [\"open('ran','w')\"]"))
        ),
        "a size that is code": pt2(_program(lambda text: re.sub(SIZE, r'\1"open(\'ran\',\'w\')"', text))),
        "nested 100,000 deep": pt2(_program(lambda text: "[" * 100_000)),
        "no program": pt2(_program(lambda text: "{}")),
        "no card": pt2(lambda entries: [entries.pop(n) for n in list(entries) if n.endswith("rnnvision.json")]),
        "no weights": pt2(lambda entries: [entries.pop(n) for n in list(entries) if "/weights/" in n]),
        "garbage": raw(PT2, b"PK\x03\x04" + b"\xff" * 1000),
    }
    weights: dict[str, Callable[[Path], object]] = {
        "a list": published([torch.ones(3)]),
        "no weights": published({}),
        "unknown": published({"weight": torch.ones(3)}),
        "not all": published(_sequencer()),
        "an empty head": published(_sequencer(**{"head.bias": torch.ones(1 << 40, 0)})),
        "a patch of nothing": published(_sequencer(**{"stem.proj.weight": torch.ones(4, 3, 0, 0)})),
        "weights of no dimension": published({key: torch.tensor(1.0) for key in _sequencer()}),
        "whole numbers": published({key: weight.long() for key, weight in _sequencer().items()}),
        "an object that runs": published({**_sequencer(), "args": _Runs()}),
        "expanded to 2**40": published(_sequencer(**{"head.bias": torch.ones(1).expand(1 << 40)})),
        "lists of the same lists": archived(b"\x80\x02" + laughs(40) + b"."),
        "a tensor beyond its memory": archived(b"\x80\x02" + tensor((1 << 40,), (1,)) + b"."),
        "compressed": archived(content_of(bytes(300_000_000)), zipfile.ZIP_DEFLATED),
        "of before 1.6": lambda box: torch.save(
            {**_sequencer(), "args": _Runs()}, box / "weights.pth", _use_new_zipfile_serialization=False
        ),
        "of before 1.6, cut short": _cut,
    }
    passes = {"card: data: None", "card: 3 classes"}
    return [
        *(Forgery(f"safetensors: {n}", f, ("load safetensors",), n in passes) for n, f in safetensors.items()),
        *(
            Forgery(f"onnx: {n}", f, ("load onnx", "predict onnx"), n in ("card: format nothing",))
            for n, f in graphs.items()
        ),
        *(Forgery(f"pt2: {n}", f, ("load pt2",)) for n, f in programs.items()),
        *(Forgery(f"published: {n}", f, ("published",)) for n, f in weights.items()),
    ]


def _weights_in_a_pipe(box: Path) -> None:
    os.mkfifo(box / "pipe")
    graph(_outside("pipe"))(box)


def _cut(box: Path) -> None:
    made = io.BytesIO()
    torch.save(_sequencer(), made, _use_new_zipfile_serialization=False)
    (box / "weights.pth").write_bytes(made.getvalue()[:-100])


FORGERIES = _all()
