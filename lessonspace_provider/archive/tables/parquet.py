# SPDX-License-Identifier: Apache-2.0
"""The Parquet files of an archive's tables. The only module that imports pyarrow, and only when it is called."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lessonspace_provider.archive.tables.columns import SCHEMA_VERSION, TABLES
from lessonspace_provider.archive.tables.rows import Row
from lessonspace_provider.exceptions import LessonspaceInputError

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows, and characters of their texts, that are held as Python's objects; then they become a row group.
MOST_ROWS, MOST_CHARACTERS = 5_000, 2 * 2**20

#: What the keys of a file's metadata begin with.
_PREFIX = "lessonspace."


def check_pyarrow() -> None:
    """
    Check that tables can be written.

    :raises LessonspaceInputError: when pyarrow is missing.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise LessonspaceInputError(
            "Tables need pyarrow, which is not installed on this worker: install "
            "airflow-provider-lessonspace[tables]. Nothing was sent."
        ) from None


@dataclass(frozen=True)
class TableMetadata:
    """
    What a file has in its metadata.

    :param digest: of all that its rows are made from; see ``table_rows.digest_of``.
    :param written_by: the start of the window whose run changed it last, ISO 8601 in UTC; empty for another task, and
        in the files of ``segments`` and ``people``.
    :param schema_version: see ``table_schemas.SCHEMA_VERSION``.
    """

    digest: str
    written_by: str = ""
    schema_version: str = str(SCHEMA_VERSION)

    @classmethod
    def of(cls, data: bytes | None) -> TableMetadata | None:
        """
        Read the metadata of a file.

        :return: None when it is no file of this provider's, or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            stored = pq.read_metadata(io.BytesIO(data or b"")).metadata or {}
            values = {name: stored[(_PREFIX + name).encode()].decode() for name in cls.__dataclass_fields__}
        except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError):
            return None
        return cls(**values)

    def encoded(self) -> Mapping[str, str]:
        """Convert to what a file holds."""
        return {_PREFIX + name: getattr(self, name) for name in self.__dataclass_fields__}


def arrow_schema(table: str, metadata: TableMetadata | None = None) -> pa.Schema:
    """Make pyarrow's schema of a table, in which no type depends on what the rows hold."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "boolean": pa.bool_(),
    }
    columns = [pa.field(column.name, types[column.type], nullable=bool(column.null)) for column in TABLES[table]]
    return pa.schema(columns, metadata=dict(metadata.encoded()) if metadata else None)


class TableFile:
    """
    Writes the file of one table, day and window into memory, compressed.

    :param table: its name.
    """

    def __init__(self, table: str, metadata: TableMetadata) -> None:
        import pyarrow.parquet as pq

        self._schema = arrow_schema(table, metadata)
        self._data = io.BytesIO()
        self._writer = pq.ParquetWriter(self._data, self._schema, compression="zstd")
        self._rows: list[Row] = []
        self._characters = 0

    def add(self, row: Row, characters: int = 0) -> None:
        """
        Add a row.

        :param characters: of its longest text.
        """
        self._rows.append(row)
        self._characters += characters
        if len(self._rows) >= MOST_ROWS or self._characters >= MOST_CHARACTERS:
            self._write()

    def close(self) -> bytes:
        """Complete the file, and give its content."""
        self._write()
        self._writer.close()
        return self._data.getvalue()

    def _write(self) -> None:
        import pyarrow as pa

        if self._rows:
            arrays = [_array(column, field.type) for column, field in zip(zip(*self._rows), self._schema)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows, self._characters = [], 0


def _array(values: Iterable[object], kind: pa.DataType) -> pa.Array:
    """Make a column by way of its texts: ``pyarrow.array`` imports pandas where it is installed, for 50 MB."""
    import pyarrow as pa

    builder = pa.lib.StringBuilder()
    builder.append_values([None if value is None else str(value) for value in values])
    return builder.finish().cast(kind)


def file_of(table: str, rows: Iterable[Row], metadata: TableMetadata) -> bytes:
    """Make the file of some rows; the same rows make the same bytes."""
    file = TableFile(table, metadata)
    for row in rows:
        file.add(row)
    return file.close()


def texts_in(data: bytes) -> Iterator[str]:
    """
    Read the texts and numbers in the rows of any Parquet file, some rows at a time.

    :raises LessonspaceInputError: when pyarrow is missing.
    """
    check_pyarrow()
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches(batch_size=MOST_ROWS):
        yield from ("\n".join(map(str, column.to_pylist())) for column in batch.columns)
