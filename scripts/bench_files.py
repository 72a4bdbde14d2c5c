"""Files on the way to the network: finding 100,000 of them, and decoding photographs of 12 megapixels for 64 x 64.

    python scripts/bench_files.py PHOTOS

PHOTOS is a folder of photographs as JPEG, which are enlarged. Prints Markdown for docs/benchmarks.md. Rounds are
interleaved; times are the least of them, wall-clock and of the CPU (user and system, all threads).
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

from rnnvision.data import ImageData
from rnnvision.data.images import Choice, View, open_seen
from rnnvision.data.reading import read_splits
from rnnvision.data.streaming import RandomResizedCrop

ROUNDS, CLASSES, FILES = 5, 100, 100_000
PHOTOS, SIZE = 8, (4000, 3000)
KINDS: dict[str, dict[str, int | bool]] = {
    "quality 90, 4:2:0": {"quality": 90, "subsampling": 2},
    "quality 75, 4:4:4": {"quality": 75, "subsampling": 0},
    "quality 90, 4:2:0, progressive": {"quality": 90, "subsampling": 2, "progressive": True},
}
VIEWS: dict[str, tuple[View, Choice | None]] = {
    "the middle": (View(image_size=64), None),
    "the middle, crop_ratio=0.875": (View(image_size=64, crop_ratio=0.875), None),
    "all, letterbox": (View(image_size=64, fit="letterbox"), None),
    "random parts, crop=0.08": (View(image_size=64), RandomResizedCrop((64, 64), 0.08).part),
}


def least(works: Mapping[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """(wall, CPU) seconds of each work: the least of interleaved rounds, after one that does not count."""
    found = {name: (float("inf"), float("inf")) for name in works}
    for turn in range(1 + ROUNDS):
        for name, work in works.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            taken = time.perf_counter() - wall, time.process_time() - cpu
            if turn:
                found[name] = min(found[name][0], taken[0]), min(found[name][1], taken[1])
    return found


def scan(folder: Path) -> None:
    """Files of a few bytes, in class folders, in folders of splits, and beside a table."""
    for i in range(FILES):
        name = f"{i:06}.jpg"
        part = ("train", "test")[i // CLASSES % 5 == 0]
        for path in (f"classes/{i % CLASSES}/{name}", f"splits/{part}/{i % CLASSES}/{name}", f"table/images/{name}"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"%d" % i)
    rows = "".join(f"{i:06}.jpg,{i % CLASSES}\n" for i in range(FILES))
    (folder / "table" / "labels.csv").write_text(f"image,label\n{rows}")
    print(
        f"| finding {FILES:,} files | torchvision's `make_dataset` | names and labels | with splits and fingerprints |"
    )
    print("|---|---|---|---|")
    for what, kind, bases in (
        ("class folders", "image_folder", ["classes"]),
        ("train/ and test/", "image_folder", ["splits/train", "splits/test"]),
        ("a table of labels", "csv", ["table"]),
    ):
        root = str(folder / bases[0].partition("/")[0])

        def torchvision(bases: list[str] = bases) -> None:
            for base in bases:
                make_dataset(folder / base, find_classes(folder / base)[1], extensions=IMG_EXTENSIONS)

        def names(kind: str = kind, root: str = root) -> None:
            read_splits(kind, root, "streaming", {}, ())

        def everything(kind: str = kind, root: str = root) -> None:
            assert ImageData(kind, root=root, format="streaming", cache=False).known

        taken = least({"torchvision": torchvision, "names": names, "everything": everything})
        cells = " | ".join(f"{wall:.2f} s ({cpu:.2f} of CPU)" for wall, cpu in taken.values())
        print(f"| {what} | {cells} |", flush=True)


def reduced(folder: Path, photos: Path) -> None:
    """Enlarged photographs, decoded whole and at reduced scale, and how far apart the results are."""
    found = sorted(p for p in photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[:PHOTOS]
    print(
        f"\n| {len(found)} photographs of 12 megapixels at 64 x 64, one thread | whole | reduced scale | difference |"
    )
    print("|---|---|---|---|")
    for kind, options in KINDS.items():
        paths = [folder / f"{i}.jpg" for i in range(len(found))]
        for source, path in zip(found, paths, strict=True):
            with Image.open(source) as image:
                scale = max(SIZE[0] / image.width, SIZE[1] / image.height)
                sides = round(image.width * scale), round(image.height * scale)
                image.convert("RGB").resize(sides, Image.Resampling.BICUBIC).crop((0, 0, *SIZE)).save(path, **options)
        for what, (view, choose) in VIEWS.items():

            def read(
                scale: bool, paths: list[Path] = paths, view: View = view, choose: Choice | None = choose
            ) -> torch.Tensor:
                torch.manual_seed(0)  # the same random parts
                return torch.stack([open_seen(path, replace(view, reduced_scale=scale), choose) for path in paths])

            taken = least({"whole": lambda: read(False), "reduced": lambda: read(True)})
            rates = {name: len(paths) / cpu for name, (_, cpu) in taken.items()}
            difference = float((read(True).int() - read(False)).abs().float().mean())
            faster = rates["reduced"] / rates["whole"]
            print(
                f"| {kind}: {what} | {rates['whole']:.0f} pictures/s | {rates['reduced']:.0f} ({faster:.1f} times) | "
                f"{difference:.2f} of 255 |",
                flush=True,
            )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        scan(Path(made))
        reduced(Path(made), Path(sys.argv[1]))
