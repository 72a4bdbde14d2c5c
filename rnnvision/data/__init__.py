"""Image data: torchvision's data sets and a user's own, as a LightningDataModule. Knows no network."""

from typing import TYPE_CHECKING

from rnnvision.lazy import lazily

if TYPE_CHECKING:
    from rnnvision.data.augment import Augmentation
    from rnnvision.data.catalog import CATALOG, Dataset
    from rnnvision.data.datamodule import ImageData
    from rnnvision.data.splits import DataError, Split, Splits
else:  # Lightning, which only ImageData needs, takes longer to import than torch
    __getattr__ = lazily(
        __name__,
        augment="Augmentation",
        catalog="CATALOG Dataset",
        datamodule="ImageData",
        splits="DataError Split Splits",
    )

__all__ = ["CATALOG", "Augmentation", "DataError", "Dataset", "ImageData", "Split", "Splits"]
