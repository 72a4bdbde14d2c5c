"""Faults of what others may have written: checkpoints, configurations, pictures, archives; and of secrets."""

from defects.defect import defect

# Each is a fault that a reviewer would send back. No file is named, so that code may move; where it was rewritten, a
# further snippet of the same fault stands behind the first, so that an earlier tree can be measured too.
FAULTS = (
    # Checkpoints ----------------------------------------------------------------------------------------------------
    defect(
        "training",
        "tensors that share memory are of any size together",
        ("self.left -= count * storage", "self.left -= storage"),
    ),
    defect(
        "training",
        "an archive may hold an entry twice",
        (
            "len({entry.filename for entry in entries}) != len(entries)",
            "len({entry.filename for entry in entries}) > len(entries)",
        ),
    ),
    defect(
        "training",
        "a state of another shape is given to the optimiser",
        ("value.shape != parameter.shape or", "value.numel() != parameter.numel() or"),
    ),
    defect(
        "training",
        "an infinite state is given to the optimiser",
        (
            'if not bool(value.isfinite().all()):\n                return f"the',
            'if not bool(value.isfinite().any()):\n                return f"the',
        ),
    ),
    defect(
        "training",
        "weights of which some are infinite are read",
        ("not weight.isfinite().all():", "not weight.isfinite().any():"),
    ),
    defect(
        "training",
        "there may be more class names than classes",
        ("or classes != len(names)):", "or classes > len(names)):"),
    ),
    defect("training", "pixels are divided by 0", ("and min(std) > 0", "and min(std) >= 0")),
    # Configurations -------------------------------------------------------------------------------------------------
    defect(
        "cli",
        "a configuration may read any variable",
        ('function == "oc.env" and variable not in allowed_variables():', 'function == "oc.env" and not variable:'),
    ),
    defect("cli", "a configuration may call any function", ("if function not in FUNCTIONS:", "if not function:")),
    defect("cli", "_args_ is a value like any other", ('OF_INSTANTIATE = ("_args_", ', "OF_INSTANTIATE = (")),
    defect(
        "cli",
        "an object within a list may be anything",
        (
            "if isinstance(value, (dict, list)):\n            _check_objects",
            "if isinstance(value, dict):\n            _check_objects",
        ),
    ),
    defect(
        "cli",
        "a package within Hydra's own may be set",
        ('"hydra" in package.replace("@", ".").split("."):', 'package == "hydra":'),
    ),
    defect("cli", "defaults lead out of their folder", ('if ".." in entry or', 'if entry == ".." or')),
    defect(
        "cli",
        "a folder of a run may lie elsewhere",
        ("not (path.exists() and _is_in(path, folder))", "not path.exists()"),
    ),
    defect(
        "cli", "any word vouches for a configuration", ('os.environ.get(TRUST) == "1"', "bool(os.environ.get(TRUST))")
    ),
    defect(
        "cli", "the name of a run is measured in letters", ('len(text.encode(errors="surrogateescape"))', "len(text)")
    ),
    # Secrets --------------------------------------------------------------------------------------------------------
    defect(
        "base",
        "the secret of an added key is shown",
        ('is_secret_key(key.lstrip("+~")) and _tells(value)', "is_secret_key(key) and _tells(value)"),
    ),
    defect(
        "base",
        "secrets in a list are shown",
        ("[masked_values(value, key) for value in content]", "[masked_values(value) for value in content]"),
    ),
    defect("base", "a secret in an address is shown", (', quote(text, safe="")', "")),
    defect(
        "base",
        "lines that are written together show secrets",
        ("for line in lines:\n            self.write(line)", "self._stream.writelines(lines)"),
    ),
    defect("base", "files show secrets", ("yield cast(TextIO, MaskedStream(file))", "yield file")),
    defect(
        "base",
        "a secret within a longer one is hidden first",
        ("sorted(_hidden, key=len, reverse=True)", "sorted(_hidden, key=len)"),
    ),
    defect(
        "base",
        "what ${oc.env:NAME} stands for is shown",
        (
            'for name in re.findall(r"\\$\\{oc\\.env:(\\w+)", str(value)):\n                hide(os',
            "for name in ():\n                hide(os",
        ),
    ),
    # Pictures -------------------------------------------------------------------------------------------------------
    defect(
        "data",
        "a picture of a heavy format counts once",
        ("(pixels := times * image.width * image.height)", "(pixels := image.width * image.height)"),
    ),
    defect(
        "data",
        "a JPEG may have any number of pixels",
        ("0 < header.width * header.height <= view.max_pixels", "0 < header.width * header.height"),
    ),
    defect(
        "data", "a JPEG may have any number of scans", ("    if header.has_scans:\n        check_scans(data)\n", "")
    ),
    defect(
        "data",
        "a table of a TIFF counts a byte a value",
        ("total += values * TYPE_BYTES.get(kind, 1)", "total += values"),
    ),
    defect("data", "Pillow reads whatever it can", ("Image.open(file, formats=_formats())", "Image.open(file)")),
    defect(
        "data", "a preview hides that a JPEG is cut short", ("find(END_OF_IMAGE, header.length)", "find(END_OF_IMAGE)")
    ),
    # Downloads ------------------------------------------------------------------------------------------------------
    defect(
        "data",
        "a damaged file that lies there is taken",
        ("if path.is_file() and not wrong_md5(path, source.md5):", "if path.is_file():"),
    ),
    defect(
        "data",
        "a page in place of a file is taken",
        ("if found == md5 and not (md5 is None and is_page):", "if found == md5:"),
    ),
    defect(
        "data",
        "a transfer that is cut is whole",
        ("if rest is not None and arrived != rest:", "if rest is not None and arrived > rest:"),
    ),
    defect(
        "data",
        "a server that begins anew is added to what is there",
        ("file.truncate(0)  # it begins anew\n            have = file.seek(0)", "pass"),
    ),
    defect("data", "an archive may lead out of its folder", ('or ".." in parts or', 'or parts[0] == ".." or')),
    defect("data", "only a piece of a member is measured", ("written += len(block)", "written = len(block)")),
    defect(
        "data",
        "a download clears away what another one writes",
        ("if alone:\n            _clear(target, sources)", "_clear(target, sources)"),
    ),
    defect(
        "data",
        "who takes a lock anew is taken for dead",
        (
            "if min(_silence(path), time.monotonic() - begin) > SILENCE:",
            "if max(_silence(path), time.monotonic() - begin) > SILENCE:",
        ),
    ),
    # Answers --------------------------------------------------------------------------------------------------------
    defect(
        "inference",
        "a classifier answers what is no number",
        ("finite(self._forward(part, forward), self.path)", "self._forward(part, forward)"),
    ),
    defect(
        "inference",
        "who reads until it is sure believes what is no number",
        ("finite(logits.float(), classifier.path) /", "logits.float() /"),
    ),
    defect("inference", "a session answers what is no number", ("finite(logits, self._classifier.path)", "pass")),
    defect("cli", "evaluate keeps a score that is no number", ("require_finite(metrics)\n    run.write", "run.write")),
)
