# SPDX-License-Identifier: Apache-2.0
"""The operator that builds the tables of an archive, and how operators report the days that changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

from airflow.providers.common.compat.sdk import BaseOperator

from lessonspace_provider.api.arguments import as_aware_datetime, as_window, refuse
from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.table_files import check_pyarrow
from lessonspace_provider.archive.table_sources import SOURCES
from lessonspace_provider.archive.tables import ArchiveTables
from lessonspace_provider.archive.windows import Window, window_of
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.operators.base import as_folder
from lessonspace_provider.output.destinations import join_below

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context, ObjectStoragePath

#: How many sessions or manifests an error names.
MOST_NAMED = 20


class BuildTablesResult(TypedDict):
    """
    What the operator returns, and the ``extra`` of the event of each of its outlet assets.

    ``days`` are those whose rows have changed (ISO dates), ``manifests`` and ``sessions`` how many the tables are made
    from, ``destination`` the archive's folder.
    """

    days: list[str]
    manifests: int
    sessions: int
    destination: str


class LessonspaceBuildTablesOperator(BaseOperator):
    """
    Build the tables of an archive that exists, from its manifests and its ``json`` or ``jsonl`` files.

    It needs no connection and makes no call to the API. The rows are those that the archive operator writes with
    ``tables=True``. A file whose rows have not changed is not written again.

    Guide: docs/how-to/tables.md

    :param destination: the archive's folder, as the archive operator has it.
    :param window_start: aware datetime or ISO 8601 text: only manifests whose windows overlap the time from then on.
        None: from the first manifest.
    :param window_end: likewise, until then. None: until the last manifest.
    :return: see ``BuildTablesResult``.
    :raises LessonspaceInputError: for a parameter that can't be used, and when pyarrow is missing.
    :raises LessonspaceError: when there is no manifest; at the end, when a manifest or a transcript could not be read.
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
        destination, (start, end) = as_folder(self.destination), self._span()
        check_pyarrow()
        manifests = ManifestStore(destination, dry_run=False)
        names = [name for name in manifests.listed() if _is_within(window_of(name), start, end)]
        if not names:
            raise LessonspaceError(
                f"There is no manifest of an archive for this time in {join_below(destination, 'manifests')}. Check "
                f"destination, window_start and window_end."
            )
        tables, problems = ArchiveTables(destination, manifests), list[str]()
        days, sessions = set[date](), 0
        for number, name in enumerate(names, 1):
            try:
                manifest = manifests.read(name)
                if manifest is not None:
                    days.update(tables.update(manifest, rebuild=True))
                    sessions += len(manifest.entries)
            except Exception as error:  # one bad manifest stops no other, whatever a store's client raises
                problems.append(f"{name}: {reason_of(error)}")
            self.log.info("%d of %d manifests done: %s", number, len(names), name)
        result = BuildTablesResult(
            days=as_days(days), manifests=len(names), sessions=sessions, destination=str(destination)
        )
        report_days(context, self.outlets, cast("dict[str, Any]", result), result["days"])
        self._completed = result  # also of a task that fails: OpenLineage asks then, too
        _fail_if_incomplete(tables.unreadable, problems)
        return result

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any] | None:
        """Report to OpenLineage the archive as input, and its tables as outputs."""
        from lessonspace_provider.operators.lineage import tables_lineage

        done = self._completed
        return None if done is None else tables_lineage(done["destination"], done["days"])

    def _span(self) -> tuple[datetime | None, datetime | None]:
        start, end = self.window_start, self.window_end
        if start is not None and end is not None:
            return as_window(start, end)
        return (
            None if start is None else as_aware_datetime("window_start", start),
            None if end is None else as_aware_datetime("window_end", end),
        )


def _is_within(window: Window | None, start: datetime | None, end: datetime | None) -> bool:
    if window is None:
        return False
    return (start is None or window.end > start) and (end is None or window.start < end)


def _fail_if_incomplete(unreadable: Mapping[str, str], problems: Sequence[str]) -> None:
    complaints = []
    if problems:
        complaints.append(f"The tables of {len(problems)} manifest(s) could not be built: {_named(problems)}")
    if unreadable:
        lacking = [f"{clean_words(session_id)}: {reason}" for session_id, reason in unreadable.items()]
        complaints.append(
            f"The tables lack the transcripts of {len(lacking)} session(s), all others are built. They need a whole "
            f"{' or '.join(SOURCES)} file: run the windows of these sessions again with json among the formats: "
            f"{_named(lacking)}"
        )
    if complaints:
        raise LessonspaceError("\n".join(complaints))


def _named(items: Sequence[str]) -> str:
    more = f"; and {len(items) - MOST_NAMED} more" if len(items) > MOST_NAMED else ""
    return "; ".join(items[:MOST_NAMED]) + more


def check_table_formats(formats: Sequence[str]) -> None:
    """
    Check that an archive with tables has files that they can be made from, and that pyarrow is there.

    :raises LessonspaceInputError: otherwise.
    """
    if not set(SOURCES) & set(formats):
        raise refuse("formats", list(formats), "with json or jsonl among them where tables=True")
    check_pyarrow()


def as_days(days: Iterable[date]) -> list[str]:
    """Write days as ISO dates, in their order."""
    return [day.isoformat() for day in sorted(days)]


def report_days(context: Context, outlets: Sequence[object], extra: dict[str, Any], days: Sequence[str]) -> None:
    """
    Add to the event of each outlet asset what a task has done, and a partition for each day that changed.

    Airflow 3.2 and newer have partitions; an alias takes none.

    :param extra: of the event.
    :param days: ISO dates, which become the partitions' keys.
    """
    from airflow.sdk import AssetAlias

    for asset in outlets:
        event: Any = context["outlet_events"][asset]  # type: ignore[index]  # an outlet is an asset or an alias
        event.extra = extra
        if days and hasattr(event, "add_partitions") and not isinstance(asset, AssetAlias):
            event.add_partitions(list(days))
