"""Images with their labels in a CSV file: every usual way to write one, and one line for what cannot be used."""

import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from rnnvision.data import DataError, ImageData, Splits
from rnnvision.data.files import FileSplit
from rnnvision.data.sets.csv_labels import read_csv
from rnnvision.data.sets.folders import read_image_folder

NAMES = [f"{i:02d}" for i in range(12)]
CLASSES = ["cat", "dog", "owl"]
LABELS = {name: CLASSES[i % 3] for i, name in enumerate(NAMES)}


def draw(root: Path, folder: str = "", names: list[str] = NAMES, suffix: str = ".png") -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("L", (6, 6), 20 * (int(name) if name.isdecimal() else 1)).save(root / folder / f"{name}{suffix}")


def table(rows: list[list[str]], delimiter: str = ",") -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def usual(image: str = "image", label: str = "label", cell: str = "{}.png", **labels: str) -> str:
    return table([[image, label], *([cell.format(n), labels.get(n, LABELS[n])] for n in NAMES)])


def read(root: Path, class_names: tuple[str, ...] = (), **options: object) -> Splits:
    return read_csv(class_names, str(root), **{"image_size": 6, **options})


def found(splits: Splits) -> dict[str, str]:
    """The label of each file, of all splits together, by its stem."""
    pairs: dict[str, str] = {}
    for part in splits.parts().values():
        assert isinstance(part, FileSplit)
        for index in range(len(part)):
            assert part.path(index).stem not in pairs
            pairs[part.path(index).stem] = splits.class_names[int(part.labels[index])]
    return pairs


def refusal(root: Path, **options: object) -> str:
    with pytest.raises((DataError, ValueError)) as error:
        read(root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw(tmp_path)
    return tmp_path


# What is read ---------------------------------------------------------------------------------------------------------

QUOTED = "".join(f'"{n}.png","{LABELS[n]}"\r\n' for n in NAMES)
WAYS = {
    "comma": usual(),
    "without suffix": usual(cell="{}"),
    "with folder": usual(cell="./{}.png"),
    "with folders of another machine": usual(cell="/kaggle/input/birds/{}.png"),
    "with folders of Windows": usual(cell="C:\\data\\{}.png"),
    "semicolon": usual().replace(",", ";"),
    "tab": usual().replace(",", "\t"),
    "told by Excel": "sep=;\r\n" + usual().replace(",", ";"),
    "byte order mark": "\ufeff" + usual(),
    "quoted": '"image","label"\r\n' + QUOTED,
    "blanks and blank lines": "\n" + usual().replace(",", " , ").replace("\n", "\n\n"),
    "old Mac": usual().replace("\n", "\r"),
    "no line break at the end": usual().rstrip("\n"),
    "comma at the end of rows": usual().replace("\n", ",\n").replace(",\n", "\n", 1),
    "index of pandas": table([["", "image", "label"], *([str(i), f"{n}.png", LABELS[n]] for i, n in enumerate(NAMES))]),
    "label first": table([["breed", "id"], *([LABELS[n], n] for n in NAMES)]),
    "more columns": table([["photo", "age", "Class"], *([n, str(i % 2), LABELS[n]] for i, n in enumerate(NAMES))]),
    "no header": table([[f"{n}.png", LABELS[n]] for n in NAMES]),
    "no header, no suffix": table([[n, LABELS[n]] for n in NAMES]),
    "rows that repeat": usual() + table([["01.png", LABELS["01"]]]),
    "comma in a quoted name": usual(label="label,quoted").replace("label,quoted", '"label, quoted"'),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_usual_way_to_write_the_table_gives_the_same(root: Path, way: str) -> None:
    (root / "labels.csv").write_bytes(WAYS[way].encode())
    splits = read(root)
    assert found(splits) == LABELS
    assert splits.class_names == tuple(CLASSES)
    again = read(root, **splits.settled)  # as a checkpoint has it
    assert found(again) == LABELS
    assert json.loads(json.dumps(splits.settled)) == splits.settled


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_umlauts_are_one_class_however_they_are_composed(tmp_path: Path, form: str, encoding: str) -> None:
    names = ["Bär", "Löwe", "a", "b"]
    draw(tmp_path, names=[unicodedata.normalize("NFD", name) for name in names])
    labels = ["Tür", unicodedata.normalize("NFD", "Tür"), "Fuß", "Fuß"]
    rows = [["image", "label"], *([unicodedata.normalize(form, n), c] for n, c in zip(names, labels, strict=True))]
    (tmp_path / "labels.csv").write_text(table(rows), encoding=encoding)
    splits = read(tmp_path)
    assert splits.class_names == ("Fuß", "Tür")
    assert sum(map(len, splits.parts().values())) == 4


@pytest.mark.parametrize("written", [["2", "10", "9"], ["2.0", "10.0", "9.0"], ["-1", "10", "9"]])
def test_numbers_are_classes_in_their_order(root: Path, written: list[str]) -> None:
    labels = dict(zip(CLASSES, written, strict=True))
    (root / "labels.csv").write_text(table([["id", "y"], *([n, labels[LABELS[n]]] for n in NAMES)]))
    splits = read(root)
    assert splits.class_names == tuple(str(n) for n in sorted(int(float(v)) for v in written))
    assert found(splits) == {n: str(int(float(labels[LABELS[n]]))) for n in NAMES}


def test_numbers_as_labels_that_would_name_files_too_are_labels(tmp_path: Path) -> None:
    draw(tmp_path, names=[str(i) for i in range(10)])
    (tmp_path / "t.csv").write_text(table([["label", "id"], *([str(i % 3), str(i)] for i in range(10))]))
    assert found(read(tmp_path)) == {str(i): str(i % 3) for i in range(10)}


@pytest.mark.parametrize("cell", ["{}", "{}.png", "train/{}.png", "train/{}", "birds/train/{}.png"])
def test_images_may_lie_in_a_folder_beside_those_of_the_test(tmp_path: Path, cell: str) -> None:
    draw(tmp_path, "train")
    draw(tmp_path, "test", [f"9{name}" for name in NAMES])
    (tmp_path / "train.csv").write_text(usual(cell=cell))
    (tmp_path / "sample_submission.csv").write_text("id,label\n")
    splits = read(tmp_path)
    assert found(splits) == LABELS
    assert splits.notes == ("left out: 12 images without a row, such as test/900.png",)
    assert found(read(tmp_path, images="train")) == LABELS
    assert read(tmp_path, images="train").notes == ()


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    draw(tmp_path, "train")
    draw(tmp_path, "test")
    (tmp_path / "train.csv").write_text(usual())
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / 'train.csv'}, line 2: 00.png may be ")
    assert "choose data.images=" in message
    assert found(read(tmp_path, images="train")) == LABELS
    (tmp_path / "train.csv").write_text(usual(cell="train/{}.png"))
    assert found(read(tmp_path)) == LABELS
    (tmp_path / "train" / "03.png").unlink()
    assert "there is no image train/03.png" in refusal(tmp_path)  # not the one of test


def test_the_split_follows_from_the_paths_as_in_a_folder(tmp_path: Path) -> None:
    for label in CLASSES:
        draw(tmp_path, label, [n for n in NAMES if LABELS[n] == label])
    (tmp_path / "labels.csv").write_text(usual())
    one, other = read(tmp_path), read_image_folder((), str(tmp_path), image_size=6)
    assert one.class_names == other.class_names
    for part, samples in one.parts().items():
        same = other.parts()[part]
        assert isinstance(samples, FileSplit)
        assert isinstance(same, FileSplit)
        assert samples.files.tolist() == same.files.tolist()
        assert samples.labels.tolist() == same.labels.tolist()
    shuffled = [WAYS["comma"].splitlines()[0], *reversed(WAYS["comma"].splitlines()[1:])]
    (tmp_path / "labels.csv").write_text("\n".join(shuffled))
    assert read(tmp_path).test.labels.tolist() == one.test.labels.tolist()


@pytest.mark.parametrize("option", [None, "split", "Subset", "kind"])
@pytest.mark.parametrize("parts", [("train", "test"), ("train", "valid"), ("Training", "val", "test")])
def test_a_column_may_say_the_split(root: Path, option: str | None, parts: tuple[str, ...]) -> None:
    column = option or "split"
    rows = [[f"{n}.png", LABELS[n], parts[i % len(parts)]] for i, n in enumerate(NAMES)]
    (root / "labels.csv").write_text(table([["image", "label", column], *rows]))
    splits = read(root, **({"split_column": column} if column == "kind" else {}))
    assert splits.settled["split_column"] == column
    test, val = splits.test, splits.val
    assert isinstance(test, FileSplit)
    assert [test.path(i).stem for i in range(len(test))] == NAMES[len(parts) - 1 :: len(parts)]
    assert (val is None) == (len(parts) == 2)
    assert found(splits) == LABELS


def test_it_is_served_and_found_again_by_its_description(root: Path) -> None:
    (root / "labels.csv").write_text(usual())
    data = ImageData("csv", root=str(root), image_size=6, batch_size=4, val_fraction=0.3)
    images, _ = next(iter(data.train_dataloader()))
    assert images.shape == (4, 3, 6, 6)
    assert data.record is not None
    assert data.describe()["label_column"] == "label"
    again = ImageData(**data.describe())
    assert again.splits.test.labels.tolist() == data.splits.test.labels.tolist()
    assert "labelled by labels.csv" in data.summary()


# What is refused ------------------------------------------------------------------------------------------------------


def test_a_row_that_cannot_be_used_is_named_with_its_line(root: Path) -> None:
    path = root / "labels.csv"
    lines = usual().splitlines()
    changes = {
        "line 3: there is no image 99.png": (2, "99.png,cat"),
        "line 3: 01.png has no label": (2, "01.png,"),
        "line 3: there is no image (an empty cell)": (2, ",cat"),
        "line 3: has 1 fields, and the first line 2": (2, "01.png"),
        "line 3: has 3 fields, and the first line 2": (2, "01.png,dog,cat"),
        "lines 2 and 3: 00.png is cat and dog": (2, "00.png,dog"),
        "line 5: is no UTF-8": (4, "03.png,M\xe4use"),
    }
    for said, (line, text) in changes.items():
        content = "\n".join([*lines[:line], text, *lines[line + 1 :]])
        path.write_bytes(content.encode("latin-1"))
        message = refusal(root)
        assert f"{path}, {said}" in message
    path.write_text("\n".join(lines[:1] + ["9" + line for line in lines[1:4]] + lines[4:]))
    assert "(3 of 12 rows)" in refusal(root)
    path.write_text(usual().replace("03.png,cat", '"03.png,cat'))
    assert f"{path}, line 5: " in refusal(root)


def test_a_line_is_counted_as_an_editor_does(root: Path) -> None:
    """With blank lines, a cell of two lines, and Excel's own line before it."""
    (root / "labels.csv").write_text('sep=,\n\nimage,label\n\n00.png,cat\n01.png,"a\nb"\n99.png,owl\n')
    assert f"{root / 'labels.csv'}, line 8: there is no image 99.png" in refusal(root)


CHOICES = {
    "no column of files": ({"labels.csv": usual(cell="x{}.png")}, {}, "no column names images in "),
    "two columns of files": (
        {"labels.csv": table([["one", "two", "label"], *([n, n, LABELS[n]] for n in NAMES)])},
        {},
        "several columns name images in ",
    ),
    "two columns of labels": (
        {"labels.csv": table([["id", "genus", "colour"], *([n, LABELS[n], "red"] for n in NAMES)])},
        {},
        "choose data.label_column=NAME of genus, colour",
    ),
    "no column of labels": (
        {"labels.csv": table([["id"], *([n] for n in NAMES)])},
        {},
        "choose data.label_column=NAME",
    ),
    "a column twice": ({"labels.csv": usual(image="label")}, {}, "several columns are named label"),
    "no such column": (
        {"labels.csv": usual()},
        {"label_column": "labl"},
        "label_column=labl: is not in labels.csv; choose",
    ),
    "another split": (
        {"labels.csv": usual(label="fold")},
        {"split_column": "fold", "label_column": "fold"},
        "line 2: fold=cat is none of train, val and test",
    ),
    "a row without a split": (
        {
            "labels.csv": usual()
            .replace("label", "label,split")
            .replace("cat\n", "cat,test\n")
            .replace("dog\n", "dog,train\n")
            .replace("owl\n", "owl,\n")
        },
        {},
        "line 4: split= is none of train, val and test; mend it, or rename the column",
    ),
    "one class": ({"labels.csv": table([["id", "y"], *([n, "a"] for n in NAMES)])}, {}, "holds 1 classes"),
    "a class each": ({"labels.csv": table([["id", "y"], *([n, "x" + n] for n in NAMES)])}, {}, "a label of its own"),
    "nothing": ({"labels.csv": ""}, {}, "labels.csv: is empty"),
    "only a header": ({"labels.csv": "image,label\n"}, {}, "holds no row but its first line"),
    "no table": ({}, {}, "holds no CSV file; give data.labels=FILE, or for CLASS/*.jpg choose data=image_folder"),
    "two tables": ({"a.csv": usual(), "b.csv": usual()}, {}, "holds a.csv, b.csv; choose one with data.labels=FILE"),
    "two usual tables": (
        {"labels.csv": usual(), "train.csv": usual()},
        {},
        "holds labels.csv, train.csv; choose one with data.labels=FILE",
    ),
    "no such table": ({"train.csv": usual()}, {"labels": "trian.csv"}, "labels=trian.csv: is not in "),
    "no such folder": ({"train.csv": usual()}, {"images": "pics"}, "images=pics: is no folder in "),
}


@pytest.mark.parametrize("case", CHOICES)
def test_a_choice_that_is_not_clear_is_told_with_what_there_is(root: Path, case: str) -> None:
    files, options, said = CHOICES[case]
    for name, content in files.items():
        (root / name).write_text(content)
    assert said in refusal(root, **options)


def test_a_column_of_splits_that_is_not_read_is_told(root: Path) -> None:
    rows = [[f"{name}.png", LABELS[name], str(i % 3)] for i, name in enumerate(NAMES)]  # 0 1 2, as of CelebA
    (root / "labels.csv").write_text(table([["image", "label", "partition"], *rows]))
    assert read(root).notes == ("column partition is not read as a split: 0, 1, 2 are none of train, val and test",)


def test_a_root_that_is_none_is_told(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (root / "train.csv").write_text(usual())
    assert refusal(root / "nowhere") == f"data.root={root / 'nowhere'}: there is no such folder"
    assert f"choose data.root={root} data.labels=train.csv" in refusal(root / "train.csv")
    with pytest.raises(ValueError, match=r"^root=null: csv needs data\.root=FOLDER"):
        read_csv((), None)
    empty = tmp_path_factory.mktemp("empty")
    (empty / "train.csv").write_text(usual())
    assert refusal(empty) == f"{empty}: holds no image"


def test_a_class_that_the_network_does_not_know_is_told(root: Path) -> None:
    (root / "labels.csv").write_text(usual())
    assert read(root, ("ant", "cat", "dog", "owl")).class_names == ("ant", "cat", "dog", "owl")
    with pytest.raises(DataError, match="holds classes that the network does not know: owl"):
        read(root, ("cat", "dog"))


def test_a_label_that_has_changed_since_the_training_is_told(root: Path) -> None:
    (root / "labels.csv").write_text(usual())
    data = ImageData("csv", root=str(root), image_size=6, num_workers=0, val_fraction=0.3)
    data.parts = ()
    assert data.known.parts()
    assert data.record is not None
    description = {"data": data.describe(), "class_names": list(data.class_names), "files": data.record.plain()}
    again = ImageData.of_checkpoint(description, parts=())
    assert again.known.notes == ()
    relabelled = {name: CLASSES[(i + 1) % 3] for i, name in enumerate(NAMES[:2])}
    (root / "labels.csv").write_text(usual(**relabelled))
    (note,) = ImageData.of_checkpoint(description, parts=()).known.notes
    assert note.startswith("since the training: 2 relabelled")


def test_another_table_beside_the_first_is_measured_whole(root: Path) -> None:
    (root / "labels.csv").write_text(usual())
    data = ImageData("csv", root=str(root), labels="labels.csv", image_size=6, num_workers=0, val_fraction=0.3)
    data.parts = ()
    assert data.known.parts()
    assert data.record is not None
    description = {"data": data.describe(), "class_names": list(data.class_names), "files": data.record.plain()}
    others = [f"{i}" for i in range(40, 52)]
    for number in others:
        Image.new("L", (6, 6), 4 * int(number) + 1).save(root / f"{number}.png")
    rows = [["image", "label"], *([f"{number}.png", CLASSES[int(number) % 3]] for number in others)]
    (root / "other.csv").write_text(table(rows))
    other = ImageData.of_checkpoint(description, parts=("test",), labels="other.csv")
    assert len(other.splits.test) == len(others)
