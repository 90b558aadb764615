"""Sources of rows that are read block by block: files, memory maps, Dask and PyArrow tables, and objects that can be sliced."""

from skdeep.sources.recognise import IN_MEMORY_BYTES, source_of
from skdeep.sources.source import Source, TableSource

__all__ = ["IN_MEMORY_BYTES", "Source", "TableSource", "source_of"]
