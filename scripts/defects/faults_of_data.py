"""Faults of splits, of the order of an epoch, of augmentation and of files."""

from defects.defect import defect

# Each is a fault that a reviewer would send back. No file is named, so that code may move; where it was rewritten, a
# further snippet of the same fault stands behind the first, so that an earlier tree can be measured too.
FAULTS = (
    # Splits ---------------------------------------------------------------------------------------------------------
    defect(
        "data",
        "a leak: the validation split is trained on too",
        ("self.select(order[count:]), self.select(order[:count])", "self.select(order), self.select(order[:count])"),
    ),
    defect(
        "data",
        "a leak: without test/, val/ is both validation and test",
        ("test, val = val, None", "test = val"),
        ("return Splits(train, val, **facts)", "return Splits(train, val, val=val, **facts)"),
    ),
    defect(
        "data",
        "split_seed is ignored",
        (
            "torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))",
            "torch.randperm(len(self), generator=torch.Generator().manual_seed(0))",
        ),
    ),
    defect(
        "data",
        "a fixed fifth is not the same share of each class",
        (", random_state=0, stratify=self.labels)", ", random_state=0)"),
        ("stratified(self.labels.numpy(), math", "stratified(np.zeros(len(self), dtype=np.int64), math"),
    ),
    defect(
        "data",
        "labels are not picked with their pictures",
        (
            "Split(self.images[index], self.labels[index])",
            "Split(self.images[index], self.labels[index.sort().values])",
        ),
        (
            "Split(self.images[index], self.labels[index], None",
            "Split(self.images[index], self.labels[index.sort().values], None",
        ),
    ),
    defect(
        "data",
        "max_train_samples is ignored",
        ("torch.arange(min(self.max_train_samples, len(train)))", "torch.arange(len(train))"),
        ("torch.arange(min(max_train_samples, len(splits.train)))", "torch.arange(len(splits.train))"),
    ),
    # Order, batches and augmentation --------------------------------------------------------------------------------
    defect(
        "data",
        "every epoch has the same order",
        ('derive_seed("order", self.seed, self.epoch)', 'derive_seed("order", self.seed)'),
    ),
    defect(
        "data",
        "every epoch has the same augmentation",
        ("derive_seed(what, self._seed, epoch)", "derive_seed(what, self._seed)"),
    ),
    defect(
        "data",
        "every streamed picture is cropped alike",
        ('derive_seed("picture", self._seed, epoch, index)', 'derive_seed("picture", self._seed, epoch)'),
        ('derive_seed("picture", self._seed, epoch, number)', 'derive_seed("picture", self._seed, epoch)'),
    ),
    defect(
        "data",
        "every process mixes its pictures alike",
        (
            'derive_seed("mix", self._seed, self._epoch, batch, self._rank)',
            'derive_seed("mix", self._seed, self._epoch, batch)',
        ),
    ),
    defect(
        "data", "every process gets the same pictures", ("[self._rank :: self._world_size]", "[:: self._world_size]")
    ),
    defect(
        "data", "the last pictures of a test split are left out", ("return full + (rest > self._rank)", "return full")
    ),
    defect(
        "data",
        "the last batch of an epoch is left out",
        ("return full + (rest >= world_size * smallest)", "return full"),
        ("return full + (rest >= world_size)", "return full"),
    ),
    defect(
        "data",
        "validation pictures are augmented",
        ("Augmentation() if seed is None else self.augmentation", "self.augmentation"),
    ),
    defect("data", "a flipped picture is a pixel off", ("width - 1 - x, x)", "width - x, x)")),
    defect(
        "data",
        "pictures that are not square are distorted as they turn",
        ("(cos * shear - sin) * (height / width)", "cos * shear - sin"),
    ),
    defect(
        "data",
        "the mean is not divided by the deviation",
        ("-(torch.tensor(mean) / torch.tensor(std))", "-torch.tensor(mean)"),
    ),
    defect(
        "data", "the means of the channels are in the order BGR", ('tuple(norm["mean"]),', 'tuple(norm["mean"][::-1]),')
    ),
    # Files ----------------------------------------------------------------------------------------------------------
    defect(
        "data",
        "the published digest is not compared",
        (
            "if digest is not None and hashlib.sha256(content).hexdigest() != digest:",
            "if digest is not None and not content:",
        ),
    ),
    defect(
        "data",
        "a fetched chunk is not compared with its digest",
        ("if entry.fault(part, digest=True):", "if entry.fault(part, digest=False):"),
    ),
    defect(
        "data", "shards that were made anew are taken from the old cache", ("root.encode() + content", "root.encode()")
    ),
    defect(
        "data",
        "a file that cannot be read becomes a black picture",
        ("wrong.append(str(error))", "self.slots[slot, place] = 0"),
    ),
    defect("data", "CMYK is converted without being asked", ('"CMYK" if image.mode == "CMYK" else None', "None")),
    defect(
        "data",
        "EXIF's rotation is ignored",
        ("turn(_decode_jpeg(data, view.channels), header.orientation)", "_decode_jpeg(data, view.channels)"),
    ),
    defect(
        "data",
        "crop_ratio is ignored",
        ("self.crop_ratio * height, self.crop_ratio * (height * w / h)", "height, height * w / h"),
    ),
    defect("data", "EMNIST's pictures lie on their side", ("images.transpose(-1, -2).contiguous()", "images")),
    defect("data", "STL-10's pictures lie on their side", ("pixels.transpose(0, 1, 3, 2)", "pixels")),
)
