"""Networks for the page, untrained, and ways to ask its server."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from rnnvision.inference import Classifier
from rnnvision.inference.demo.app import make_app
from rnnvision.inference.demo.examples import Examples
from rnnvision.inference.demo.server import address, listen, make_server
from rnnvision.nn import build
from tests.nn.cases import tiny

Receive = Callable[[], Awaitable[dict[str, Any]]]
SCRIPT = "<script>alert(1)</script>"  # a class of this name stays text
DIGIT = {"input_shape": [1, 28, 28], "num_classes": 10, "hidden_size": 24, "scan": "rows"}


def make_classifier(name: str = "sequence_classifier", **arguments: Any) -> Classifier:
    """Its images are dark, and the answers far enough apart to tell."""
    torch.manual_seed(0)
    made = {"name": name, **tiny(name, **arguments)}
    network = build(**made).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.mul_(2.0)
    channels, classes = made["input_shape"][0], made["num_classes"]
    description = {
        "network": made,
        "class_names": [SCRIPT, *(f"class {i}" for i in range(1, classes))],
        "normalisation": {"mean": [0.13] * channels, "std": [0.31] * channels},
        "temperature": 1.5,
        "data": {"name": "fake", "root": None, "image_shape": made["input_shape"], "num_classes": classes},
    }
    return Classifier(network, description, Path("logs/my_run/checkpoints/best.ckpt"))


def digit(**arguments: Any) -> Classifier:
    return make_classifier(**{**DIGIT, **arguments})


def image(*shape: int, seed: int = 0) -> Tensor:
    """uint8 (C, H, W) with a dark border."""
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1] = 0, 0, 0, 0
    return pixels


def png(pixels: Tensor) -> bytes:
    array = pixels.permute(1, 2, 0).numpy()
    file = BytesIO()
    Image.fromarray(array[..., 0] if len(pixels) == 1 else array).save(file, "PNG")
    return file.getvalue()


def app_of(classifier: Classifier, **arguments: Any) -> Any:
    return make_app(classifier, Examples(classifier.description, classifier.input_shape), **arguments)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


async def ask(
    app: Any, path: str, *parts: bytes, method: str | None = None, receive: Receive | None = None, **headers: str
) -> Answer:
    """One request in ASGI; the parts of its content arrive one by one, or as `receive` gives them."""
    path, _, query = path.partition("?")
    left, sent = list(parts) or [b""], []
    given = {"host": "127.0.0.1:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}

    async def by_parts() -> dict[str, Any]:
        if not left:  # the client stays
            await asyncio.Event().wait()
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method or ("POST" if parts else "GET"),
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive or by_parts, send)
    said = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], said, b"".join(message.get("body", b"") for message in sent[1:]))


def asked(app: Any, path: str, *parts: bytes, **options: Any) -> Answer:
    return asyncio.run(ask(app, path, *parts, **options))


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address of a server in a thread."""
    with listen("127.0.0.1", 0) as taken:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield address(taken, "127.0.0.1")
        finally:
            server.should_exit = True
            thread.join()
