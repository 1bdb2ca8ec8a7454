# SPDX-License-Identifier: Apache-2.0
"""The operator that builds the tables of an archive, and how operators report the days that changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

from airflow.providers.common.compat.sdk import BaseOperator

from lessonspace_provider.api.arguments import as_aware_datetime, as_window, refuse
from lessonspace_provider.archive.tables.builds import build_tables
from lessonspace_provider.archive.tables.parquet import check_pyarrow
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.operators.base import as_folder
from lessonspace_provider.transcripts.formats import WHOLE_FORMATS

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context, ObjectStoragePath


class BuildTablesResult(TypedDict):
    """
    What the operator returns, and the ``extra`` of the event of each of its outlet assets.

    ``days``: ISO dates of the days whose rows changed. ``manifests``, ``sessions``: how many of each the tables are
    built from. ``destination``: the archive's folder.
    """

    days: list[str]
    manifests: int
    sessions: int
    destination: str


class LessonspaceBuildTablesOperator(BaseOperator):
    """
    Build the tables of an existing archive from its manifests and its ``json`` or ``jsonl`` files.

    The operator needs no connection to Lessonspace and makes no call to the API. The rows are the same as those of the
    archive operator with ``tables=True``. A file whose rows have not changed is not written again.

    Guide: docs/how-to/tables.md

    :param destination: the archive's folder, as given to the archive operator.
    :param window_start: aware datetime or ISO 8601 text; manifests whose windows end before it are left out. None:
        begin with the first manifest.
    :param window_end: likewise; manifests whose windows start after it are left out. None: end with the last manifest.
    :return: see ``BuildTablesResult``.
    :raises LessonspaceInputError: for a wrong parameter, and if pyarrow is missing.
    :raises LessonspaceError: if there is no manifest; at the end, if a manifest or a transcript could not be read.
    """

    template_fields: Sequence[str] = ("destination", "window_start", "window_end")

    def __init__(
        self,
        *,
        destination: str | ObjectStoragePath,
        window_start: datetime | str | None = None,
        window_end: datetime | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.window_start = window_start
        self.window_end = window_end
        self._completed: BuildTablesResult | None = None

    def execute(self, context: Context) -> BuildTablesResult:
        """Build window by window, then fail if anything could not be read."""
        destination, span = as_folder(self.destination), as_span(self.window_start, self.window_end)
        build = build_tables(destination, *span, log=self.log)
        result = BuildTablesResult(
            days=as_days(build.days),
            manifests=build.manifests,
            sessions=build.sessions,
            destination=str(destination),
        )
        report_days(context, self.outlets, cast("dict[str, Any]", result), result["days"])
        self._completed = result  # also of a task that fails: OpenLineage asks then, too
        if build.complaints:
            raise LessonspaceError("\n".join(build.complaints))
        return result

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any] | None:
        """Report to OpenLineage the archive as input, and its tables as outputs."""
        from lessonspace_provider.operators.lineage import tables_lineage

        done = self._completed
        return None if done is None else tables_lineage(done["destination"], done["days"])


def as_span(start: datetime | str | None, end: datetime | str | None) -> tuple[datetime | None, datetime | None]:
    """
    Check the bounds of a time, of which either may be open.

    :raises LessonspaceInputError: for anything that is no time, and an end that is not after the start.
    """
    if start is not None and end is not None:
        return as_window(start, end)
    return (
        None if start is None else as_aware_datetime("window_start", start),
        None if end is None else as_aware_datetime("window_end", end),
    )


def check_table_formats(formats: Sequence[str]) -> None:
    """
    Check that an archive with tables has files that they can be made from, and that pyarrow is there.

    :raises LessonspaceInputError: otherwise.
    """
    if not set(WHOLE_FORMATS) & set(formats):
        raise refuse("formats", list(formats), "with json or jsonl among them where tables=True")
    check_pyarrow()


def as_days(days: Iterable[date]) -> list[str]:
    """Write days as ISO dates, in their order."""
    return [day.isoformat() for day in sorted(days)]


def report_days(context: Context, outlets: Sequence[object], extra: dict[str, Any], days: Sequence[str]) -> None:
    """
    Add to the event of each outlet asset what a task has done, and a partition for each day that changed.

    Airflow 3.3 and newer have partitions: then the asset has an event for each of them beside the one without, which
    starts DAGs that are scheduled on the asset as a whole. An alias takes no partitions.

    :param extra: of the event.
    :param days: ISO dates, which become the partitions' keys.
    """
    from airflow.sdk import AssetAlias

    for asset in outlets:
        event: Any = context["outlet_events"][asset]  # type: ignore[index]  # an outlet is an asset or an alias
        event.extra = extra
        if days and hasattr(event, "add_partitions") and not isinstance(asset, AssetAlias):
            event.add_partitions(list(days))
            # An event of a partition starts no DAG that is scheduled on the asset as a whole: so there is one without.
            event.partition_keys.add(None)
