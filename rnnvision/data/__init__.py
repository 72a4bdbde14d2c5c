"""Image data: torchvision's data sets and a user's own, as a LightningDataModule. Knows no network."""

from rnnvision.data.augment import Augmentation
from rnnvision.data.catalog import CATALOG, Dataset
from rnnvision.data.datamodule import ImageData
from rnnvision.data.splits import DataError, Split, Splits

__all__ = ["CATALOG", "Augmentation", "DataError", "Dataset", "ImageData", "Split", "Splits"]
