# SPDX-License-Identifier: Apache-2.0
"""
What operators report to OpenLineage when they are done: folders as datasets, never a transcript.

Imported by the operators' ``get_openlineage_facets_on_complete`` only, which nothing calls without OpenLineage.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lessonspace_provider.archive.tables.columns import TABLES
from lessonspace_provider.output.destinations import LOCAL, as_place, place_of
from lessonspace_provider.output.files import names_in, read_whole

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset, InputDataset, OutputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.archive.tables.columns import Column

log = logging.getLogger(__name__)

#: Days whose rows are counted at most: each of their files is read, and OpenLineage waits for some seconds only.
MOST_DAYS = 31

#: Schemes of the same store under another name.
_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


def archive_lineage(
    base_url: str, organisation: str, destination: str, days: Sequence[str], *, tables: bool
) -> OperatorLineage[Any, Any] | None:
    """
    Describe a run of the archive: the organisation is its input, the archive and its tables are its outputs.

    :param base_url: of the API.
    :param organisation: its id.
    :param destination: the archive's folder.
    :param days: ISO dates of which the tables were written; the rows of more than ``MOST_DAYS`` are not counted.
    :param tables: whether the archive has tables.
    :return: None without OpenLineage, or when it can't be described: lineage never fails a task.
    """
    try:
        from airflow.providers.common.compat.openlineage.facet import InputDataset

        host = urlsplit(base_url).hostname or "unknown"
        source = InputDataset(namespace=f"lessonspace://{host}", name=f"organisations/{organisation}")
        return _lineage(source, destination, days, with_archive=True, tables=tables)
    except Exception as error:
        _log(error)
        return None


def tables_lineage(destination: str, days: Sequence[str]) -> OperatorLineage[Any, Any] | None:
    """
    Describe what built tables from an archive: the archive is its input, each table is an output.

    :param destination: the archive's folder.
    :param days: see ``archive_lineage``.
    :return: see ``archive_lineage``.
    """
    try:
        from airflow.providers.common.compat.openlineage.facet import InputDataset

        namespace, name = _dataset_name(_folder(destination))
        return _lineage(
            InputDataset(namespace=namespace, name=name), destination, days, with_archive=False, tables=True
        )
    except Exception as error:
        _log(error)
        return None


def _lineage(
    source: InputDataset, destination: str, days: Sequence[str], *, with_archive: bool, tables: bool
) -> OperatorLineage[Any, Any]:
    from airflow.providers.common.compat.openlineage.facet import OutputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    folder = _folder(destination)
    namespace, name = _dataset_name(folder)
    outputs: list[Dataset] = [OutputDataset(namespace=namespace, name=name)] if with_archive else []
    if tables:
        outputs += [_dataset(folder, table, columns, days) for table, columns in TABLES.items()]
    return OperatorLineage(inputs=[source], outputs=outputs)


def _dataset(archive: ObjectStoragePath, table: str, columns: Iterable[Column], days: Sequence[str]) -> OutputDataset:
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )

    folder = archive / "tables" / table
    namespace, name = _dataset_name(folder)
    fields = [SchemaDatasetFacetFields(name=column.name, type=column.type) for column in columns]
    day = SchemaDatasetFacetFields(name="day", type="date")
    dataset = OutputDataset(
        namespace=namespace, name=name, facets={"schema": SchemaDatasetFacet(fields=[*fields, day])}
    )
    if len(days) <= MOST_DAYS:
        dataset.outputFacets = {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=_count(folder, days))}
    return dataset


def _count(folder: ObjectStoragePath, days: Sequence[str]) -> int:
    """Count the rows of some days of a table, from its files."""
    from pyarrow.parquet import read_metadata

    rows = 0
    for day in days:
        part = folder / f"day={day}"
        for name in names_in(part):
            data = read_whole(part / name)
            rows += read_metadata(BytesIO(data)).num_rows if data else 0
    return rows


def _folder(destination: str) -> ObjectStoragePath:
    return as_place(destination, "a folder")


def _dataset_name(folder: ObjectStoragePath) -> tuple[str, str]:
    """Name a folder as OpenLineage does: without the id of its connection."""
    place = place_of(folder)
    if place.protocol in LOCAL:
        return "file", place.path
    bucket, _, path = place.path.partition("/")
    return f"{_SCHEMES.get(place.protocol, place.protocol)}://{bucket}", path or "/"


def _log(error: Exception) -> None:
    level = logging.DEBUG if isinstance(error, ImportError) else logging.WARNING
    log.log(level, "No lineage was reported to OpenLineage: %s", type(error).__name__)
