# SPDX-License-Identifier: Apache-2.0
"""The operator of the archive: all transcripts of the sessions that ended in a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypedDict, cast

from lessonspace_provider.api.arguments import as_flag, as_retention, as_space_id, as_window, refuse
from lessonspace_provider.api.filters import SESSION_FILTERS, SPACE_SESSION_FILTERS, refuse_unknown
from lessonspace_provider.api.foreign_words import clean_message, clean_words
from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.entry import count
from lessonspace_provider.archive.files import ArchiveLayout
from lessonspace_provider.archive.health.figures import Schedule, night_of
from lessonspace_provider.archive.health.store import RunReport, recording_run
from lessonspace_provider.archive.paths import DEFAULT_PATH_TEMPLATE, check_path_template
from lessonspace_provider.archive.runner import Archiver
from lessonspace_provider.archive.text_redaction import as_text_redaction
from lessonspace_provider.archive.window_sessions import WindowSessions
from lessonspace_provider.archive.windows import Window, backfill_command, clocks_change
from lessonspace_provider.bulk.rows import HiddenRows
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.links import LessonspaceArchiveHealthLink, health_query
from lessonspace_provider.metrics import names, sending
from lessonspace_provider.operators.archive_erasure import LessonspaceEraseOperator, LessonspaceExpireArchiveOperator
from lessonspace_provider.operators.archive_tables import (
    LessonspaceBuildTablesOperator,
    as_days,
    check_table_formats,
    report_days,
)
from lessonspace_provider.operators.base import LessonspaceOperator, as_filters, as_folder, time_zone_of
from lessonspace_provider.transcripts import formats as transcripts
from lessonspace_provider.waiting.awaited import DEFAULT_GIVE_UP_AFTER
from lessonspace_provider.waiting.transcripts import TranscriptStatus

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context, ObjectStoragePath

    from lessonspace_provider.api.types import FilterValue
    from lessonspace_provider.archive.runner import ArchivedWindow

__all__ = [
    "DEFAULT_FORMATS",
    "ArchiveResult",
    "LessonspaceArchiveTranscriptsOperator",
    "LessonspaceBuildTablesOperator",
    "LessonspaceEraseOperator",
    "LessonspaceExpireArchiveOperator",
]

DEFAULT_FORMATS = ("json", "txt")

#: Filters that the window and the other parameters give.
_FILTERS_OF_THE_WINDOW = ("end_time_after", "end_time_before", "include_single_user", "page", "in_progress_only")

#: How many failed sessions the archive's error names.
MOST_NAMED = 20

#: How many gaps of the archive a run names one by one.
MOST_GAPS = 5


class ArchiveResult(TypedDict):
    """
    What the archive operator returns, and the ``extra`` of the event of each of its outlet assets.

    ``counts``: the window's sessions per status. ``manifest``: the path of the window's manifest, None for a dry run.
    ``updated_manifests``: the manifests of earlier windows that this run changed, or would change in a dry run.
    ``earlier``: the sessions of these manifests whose status this run changed, per new status. Late transcripts are in
    ``earlier["archived"]``, transcripts that were given up in ``earlier["given_up"]``. ``days``: ISO dates of the days
    whose tables changed in this run or in an earlier try of it. ``talk_seconds``: talk time in the window's sessions
    per role (``teacher``, ``student``, ``admin``, ``unknown``). Without ``tables``, both are empty. ``connection``: the
    connection's id. ``organisation``: the organisation's id at Lessonspace. ``destination``: the archive's folder.
    ``window_start`` and ``window_end``: ISO 8601 in UTC.
    """

    counts: dict[TranscriptStatus, int]
    manifest: str | None
    updated_manifests: list[str]
    earlier: dict[TranscriptStatus, int]
    days: list[str]
    talk_seconds: dict[str, float]
    connection: str
    organisation: str
    destination: str
    window_start: str
    window_end: str


class LessonspaceArchiveTranscriptsOperator(LessonspaceOperator):
    """
    Archive the transcripts of all sessions that ended in a window, with a manifest that gives each a status.

    Transcripts are written to ``<destination>/YYYY/MM/DD/<session uuid>.<format>`` (day of the session's end, UTC),
    the manifest to ``<destination>/manifests/<window>.json``. A transcript that is not ready yet is pending, which is
    not a failure. Each run also checks the open sessions of earlier windows, however old they are, and files sessions
    whose end became known late.
    If a session fails, the others are archived anyway; the task then fails at its end and lists the failed sessions. A
    retry downloads only what is missing. Each archive needs a destination of its own.

    Guide: docs/how-to/archive.md#the-archive

    :param destination: a folder as ``ObjectStoragePath`` takes it, e.g. ``s3://aws_default@bucket/transcripts``.
    :param window_start: aware datetime or ISO 8601 text; sessions that ended at this moment belong to the window. None:
        the start of the run's data interval.
    :param window_end: likewise; sessions that ended at this moment belong to the next window. None: the end of the
        run's data interval.
    :param formats: files per session: ``json``, ``jsonl``, ``txt``, ``vtt``, ``srt``, ``csv``. With ``json`` among
        them, the other files are rebuilt after a killed run, and the transcript is not downloaded again.
    :param path_template: path of a transcript, made of ``{session_id}`` (required), ``{name}``, ``{space_id}``,
        ``{space_name}``, ``{start}`` and ``{end}``.
    :param redact_speakers: write roles and numbers, such as ``Student 2``, in place of speakers' names.
    :param redact_spoken_names: write ``[name]`` in the text where the name of a person of the session is spoken.
    :param extra_names: further names to redact in all sessions: a list, or the path of a ``.jsonl`` or ``.csv`` file
        with the field ``name``, such as a list of users with ``fields=["name"]``.
    :param diminutives: further forms of names, such as ``{"Elizabeth": ["Liz", "Beth"]}``.
    :param redact: a function that is called with the text of each segment, and returns the text to write.
    :param summaries: also archive the sessions' summaries, as ``<path>.summary.txt``. They come with the list of
        sessions, and are archived also if no transcript comes. A changed summary replaces the archived one while the
        session is listed.
    :param space_id: archive this space's sessions only; UUID, or slug (launch's ``room_id``).
    :param filters: further filters of ``LessonspaceHook.list_sessions``, such as ``tags`` or ``space``.
    :param include_single_user: whether the manifest has sessions of one person, too. They have no transcript.
    :param give_up_after: how long after a session's end its transcript is given up; timedelta, or seconds from 86400.
    :param tables: write tables as Parquet files below ``<destination>/tables``; needs pyarrow, and ``json`` or
        ``jsonl`` among the formats.
    :param dry_run: log what would be done, also for earlier windows, and write nothing. Sessions whose files would be
        downloaded or written count as pending.
    :return: see ``ArchiveResult``. The event of each outlet asset has the same as its ``extra``, and on Airflow 3.3 a
        partition for each day in ``days``. A dry run has such events, too; their ``manifest`` is None.
    :raises LessonspaceInputError: for a wrong parameter, before any request.
    :raises LessonspaceDestinationError: if the destination can't be written or read, before any transcript is
        requested.
    :raises LessonspaceError: at the end, if sessions failed, or if a manifest of an earlier window can't be read or
        written.
    """

    operator_extra_links = (LessonspaceArchiveHealthLink(),)
    template_fields: Sequence[str] = (
        "lessonspace_conn_id",
        "destination",
        "window_start",
        "window_end",
        "formats",
        "extra_names",
        "path_template",
        "space_id",
        "filters",
    )

    def __init__(
        self,
        *,
        destination: str | ObjectStoragePath,
        window_start: datetime | str | None = None,
        window_end: datetime | str | None = None,
        formats: Sequence[str] = DEFAULT_FORMATS,
        path_template: str = DEFAULT_PATH_TEMPLATE,
        redact_speakers: bool = False,
        redact_spoken_names: bool = False,
        extra_names: Sequence[str] | str | ObjectStoragePath | None = None,
        diminutives: Mapping[str, Sequence[str]] | None = None,
        redact: Callable[[str], str] | None = None,
        summaries: bool = False,
        space_id: str | None = None,
        filters: Mapping[str, FilterValue | None] | None = None,
        include_single_user: bool = True,
        give_up_after: timedelta | float = DEFAULT_GIVE_UP_AFTER,
        tables: bool = False,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.window_start = window_start
        self.window_end = window_end
        self.formats = formats
        self.path_template = path_template
        self.redact_speakers = redact_speakers
        self.redact_spoken_names = redact_spoken_names
        self.extra_names = extra_names
        self.diminutives = diminutives
        self.redact = redact
        self.summaries = summaries
        self.space_id = space_id
        self.filters = filters
        self.include_single_user = include_single_user
        self.give_up_after = give_up_after
        self.tables = tables
        self.only_plan = dry_run
        self.health_page: str | None = None
        self._completed: ArchiveResult | None = None

    def _do_render_template_fields(self, parent: Any, *args: Any, **kwargs: Any) -> None:
        """Keep names out of what Airflow stores as rendered fields."""
        super()._do_render_template_fields(parent, *args, **kwargs)
        if parent.extra_names is not None and not isinstance(parent.extra_names, str):
            parent.extra_names = HiddenRows(parent.extra_names)

    def execute(self, context: Context) -> ArchiveResult:
        """Archive session by session, write the manifests, then fail if any session did."""
        window = self._window(context)
        # Gaps are filled by logical dates, which are the starts of data intervals, but not of other windows.
        is_scheduled = window == (context.get("data_interval_start"), context.get("data_interval_end"))
        schedule = Schedule(self.dag_id, (window.end - window.start).total_seconds()) if is_scheduled else None
        if self.only_plan:
            return self._archive(window, context, schedule, RunReport())
        folder = as_folder(self.destination)
        self.health_page = health_query(str(folder), night_of(window))
        with recording_run(folder, window, schedule, self.log) as report:
            return self._archive(window, context, schedule, report)

    def _archive(self, window: Window, context: Context, schedule: Schedule | None, report: RunReport) -> ArchiveResult:
        filters = {**self._checked_filters(), "include_single_user": self.include_single_user}
        source = WindowSessions(self.hook, self.space_id, filters, self.log)
        archiver = self._archiver()
        archived = archiver.archive_window(source.of(window), *window)
        counts, path = archived.manifest.counts, None if self.only_plan else str(archived.path)
        self.log.info("%d sessions ended in the window: %s. Manifest: %s", sum(counts.values()), counts, path)
        earlier, problems = archiver.update_earlier(window.start, archived.elsewhere)
        result = ArchiveResult(
            counts=counts,
            manifest=path,
            updated_manifests=[str(other.path) for other in earlier],
            earlier=count(entry for other in earlier for entry in other.changed),
            days=as_days(archiver.table_days),
            talk_seconds=archiver.talk_seconds,
            connection=self.lessonspace_conn_id,
            organisation=self.hook.organisation_id,
            destination=str(as_folder(self.destination)),
            window_start=write_time(window.start),
            window_end=write_time(window.end),
        )
        report_days(context, self.outlets, cast("dict[str, Any]", {**result}), result["days"])
        if self.only_plan:
            for problem in problems:
                self.log.warning("%s", problem)
            return result
        _send_metrics(result, archiver.oldest_pending)
        report.given_up = counts["given_up"] + result["earlier"]["given_up"]
        self._warn_of_gaps(archiver.gaps(until=window.start), window, schedule)
        self._completed = result  # also of a task that fails: OpenLineage asks then, too
        _fail_if_any_failed([archived, *earlier], problems, source.incomplete)
        return result

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any] | None:
        """Report to OpenLineage the organisation as input, the archive and its tables as outputs."""
        from lessonspace_provider.operators.lineage import archive_lineage

        if (done := self._completed) is None:
            return None
        where = (self.hook.settings.base_url, done["organisation"], done["destination"])
        return archive_lineage(*where, done["days"], tables=self.tables)

    def _warn_of_gaps(self, gaps: Sequence[Window], window: Window, schedule: Schedule | None) -> None:
        """Name the latest gaps with what fills them, in each run until they are filled."""
        for gap in gaps[-MOST_GAPS:]:
            command = backfill_command(self.dag_id, gap, window.end - window.start) if schedule else None
            self.log.warning(
                "No manifest accounts for the sessions that ended from %s to %s. Archive them, unless a run for that "
                "time is in progress or the gap is intended: %s",
                *(bound.isoformat() for bound in gap),
                command or "run this task with window_start and window_end for that time",
            )
        if len(gaps) > MOST_GAPS:
            first = gaps[0].start.isoformat()
            self.log.warning(
                "No manifest accounts for %d earlier gaps, the first from %s", len(gaps) - MOST_GAPS, first
            )

    def _window(self, context: Context) -> Window:
        """Take the window that was given, or else the run's data interval, which not every run has."""
        start = context.get("data_interval_start") if self.window_start is None else self.window_start
        end = context.get("data_interval_end") if self.window_end is None else self.window_end
        if start is None or end is None:
            raise LessonspaceInputError(
                "There is no window to archive: window_start and window_end were not given, and a run without a "
                "logical date has no data interval. Trigger the DAG with a logical date, or give both."
            )
        if isinstance(start, datetime) and start == end and self.window_start is None and self.window_end is None:
            self._check_clocks(start, context)
        window = Window(*as_window(start, end))
        self.log.info("Archiving sessions that ended from %s until %s", *map(write_time, window))
        return window

    def _check_clocks(self, moment: datetime, context: Context) -> None:
        """Refuse an empty data interval, which Airflow makes where clocks skip the hour of the schedule."""
        zone = time_zone_of(context.get("dag"))
        if zone is None or not clocks_change(moment, zone):
            return
        end = moment.astimezone(timezone.utc)
        archived = [window.end for window in self._archiver().windows() if window.end <= end]
        start = max([end - timedelta(days=1), *archived])
        advice = (
            f"Give window_start={write_time(start)} and window_end={write_time(end)}"
            if start < end
            else f"Earlier sessions are archived already: give the window that starts at {write_time(end)}"
        )
        raise LessonspaceInputError(
            f"There is no window to archive: this run's data interval starts and ends at {write_time(end)}, because "
            f"the clocks of {zone} change then and skip the hour of the schedule. {advice}. To avoid this, schedule "
            f"the DAG in UTC, or at an hour that no clock change skips."
        )

    def _archiver(self) -> Archiver:
        layout = ArchiveLayout(
            destination=as_folder(self.destination),
            formats=transcripts.check_formats(self.formats),
            path_template=check_path_template(self.path_template),
            redact_speakers=as_flag("redact_speakers", self.redact_speakers),
            summaries=as_flag("summaries", self.summaries),
            tables=as_flag("tables", self.tables),
            texts=as_text_redaction(self.redact_spoken_names, self.extra_names, self.diminutives, self.redact),
        )
        if layout.tables:
            check_table_formats(layout.formats)
        give_up_after = as_retention("give_up_after", self.give_up_after)
        return Archiver(
            self.hook, layout, give_up_after=give_up_after, log=self.log, dry_run=as_flag("dry_run", self.only_plan)
        )

    def _checked_filters(self) -> dict[str, FilterValue | None]:
        filters = as_filters(self.filters)
        for name in _FILTERS_OF_THE_WINDOW:
            if name in filters:
                raise refuse("filters", filters, f"without {name}, which the other parameters give")
        if self.space_id is not None:
            as_space_id("space_id", self.space_id)
        refuse_unknown(filters, SESSION_FILTERS if self.space_id is None else SPACE_SESSION_FILTERS, "filter")
        return filters


def _send_metrics(result: ArchiveResult, oldest_pending: timedelta) -> None:
    for counts in (result["counts"], result["earlier"]):
        for status, number in counts.items():
            sending.count(names.sessions_with(status), number)
    sending.set_gauge(names.OLDEST_PENDING, oldest_pending.total_seconds())


def _fail_if_any_failed(windows: Sequence[ArchivedWindow], problems: Sequence[str], incomplete: Sequence[str]) -> None:
    """Fail for sessions first, then for what may be missing of the list, then for manifests of earlier windows."""
    failed = [
        f"{clean_words(entry.session_id)}: {clean_message(entry.reason)}"
        for window in windows
        for entry in window.failed
    ]
    complaints = []
    if failed:
        more = f"; and {len(failed) - MOST_NAMED} more, see the manifest" if len(failed) > MOST_NAMED else ""
        complaints.append(
            f"{len(failed)} session(s) failed, all others are accounted for in {windows[0].path}. Run the task again: "
            f"it requests only what is missing. Failed: {'; '.join(failed[:MOST_NAMED])}{more}"
        )
    complaints += dict.fromkeys(incomplete)
    if problems:
        complaints.append(f"Earlier windows could not be updated: {'; '.join(problems)}")
    if complaints:
        raise LessonspaceError("\n".join(complaints))
