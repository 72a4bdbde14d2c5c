"""The cache of decoded images: a file is decoded once, not once a run."""

from rnnvision.data.cache.images import ImageCache, cache_folder, cache_size, cached, not_cached, of_cache, read_once

__all__ = ["ImageCache", "cache_folder", "cache_size", "cached", "not_cached", "of_cache", "read_once"]
