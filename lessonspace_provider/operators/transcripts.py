# SPDX-License-Identifier: Apache-2.0
"""Operators for transcripts: one session's, and the nightly archive of all that ended in a window."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout

from lessonspace_provider import archive, transcripts
from lessonspace_provider.archive_files import ArchiveLayout
from lessonspace_provider.archive_paths import DEFAULT_PATH_TEMPLATE, check_path_template, transcript_path
from lessonspace_provider.archive_windows import LOOK_BACK, Window, backfill_command, clocks_change
from lessonspace_provider.archiver import Archiver
from lessonspace_provider.destinations import as_place
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceTranscriptNotReady
from lessonspace_provider.foreign_words import clean_message, clean_words
from lessonspace_provider.operators.base import LessonspaceOperator, as_filters, time_zone_of
from lessonspace_provider.parameters import (
    SESSION_FILTERS,
    SPACE_SESSION_FILTERS,
    as_duration,
    as_flag,
    as_one_of,
    as_space_id,
    as_uuid,
    as_window,
    refuse,
    refuse_unknown,
)
from lessonspace_provider.storage import write_pieces
from lessonspace_provider.times import write_time
from lessonspace_provider.triggers.time_limits import NO_REPORT, deferral_timeout, ended_without_report, report_time
from lessonspace_provider.waiting import DEFAULT_GIVE_UP_AFTER, OVERLAP, AwaitedTranscript, asked_with

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from lessonspace_provider.api_types import FilterValue, Segment, Session
    from lessonspace_provider.archiver import ArchivedWindow

DEFAULT_FORMATS = ("json", "txt")

#: How much wider the API is asked than the window is, since the reference does not say whether its bounds
#: belong to the range, nor how exact its times are.
WINDOW_MARGIN = timedelta(seconds=1)

#: Filters that the window and the other parameters give.
_FILTERS_OF_THE_WINDOW = ("end_time_after", "end_time_before", "include_single_user", "page", "in_progress_only")

#: How many failed sessions the archive's error names.
MOST_NAMED = 20

#: How many gaps of the archive a run names one by one.
MOST_GAPS = 5

ON_MISSING = ("fail", "skip", "none")


class ArchiveResult(TypedDict):
    """
    What the archive operator returns.

    ``counts`` are the window's sessions per status, ``manifest`` is where their account lies (None for a dry run), and
    ``updated_manifests`` are those of earlier windows in which transcripts were looked for again, or would be.
    ``earlier`` are the sessions of those windows whose status has changed in this run, by what it is now: what came
    late is in ``earlier["archived"]``, what is waited for no longer in ``earlier["given_up"]``.
    """

    counts: dict[archive.Status, int]
    manifest: str | None
    updated_manifests: list[str]
    earlier: dict[archive.Status, int]


class LessonspaceGetTranscriptOperator(LessonspaceOperator):
    """
    Fetch the transcript of one session, into XCom or into files.

    .. seealso::
        For more information on how to use it, take a look at the guide: docs/transcripts.md#one-transcript

    :param session_id: the session's uuid.
    :param destination: a folder as ``ObjectStoragePath`` takes it, e.g. ``s3://aws_default@bucket/transcripts``.
        None: the segments become the task's result. A transcript of an hour has over 100 kB and people's names,
        so a destination is the better choice.
    :param formats: which files to write, any of the names in ``transcripts.WRITERS``.
    :param wait: wait in the triggerer until the transcript is there, at most for ``execution_timeout`` if that is set;
        see ``LessonspaceTranscriptTrigger``. A session that can't have one is not waited for.
    :param give_up_after: how long after the session's end it is waited for; timedelta or seconds.
    :param on_missing: what a transcript that is not there does, or that never came: ``fail`` the task (which its
        retries try again), ``skip`` the task, or ``none``: the task succeeds with None.
    :return: the segments, or the paths of the written files in the order of ``formats``.
    :raises LessonspaceTranscriptNotReady: it is not there, and ``on_missing`` is ``fail``. The message says why: no
        such session, not ready yet, not eligible, or given up.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "session_id", "destination", "formats")

    def __init__(
        self,
        *,
        session_id: str,
        destination: str | ObjectStoragePath | None = None,
        formats: Sequence[str] = DEFAULT_FORMATS,
        wait: bool = False,
        give_up_after: timedelta | float = DEFAULT_GIVE_UP_AFTER,
        on_missing: Literal["fail", "skip", "none"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.destination = destination
        self.formats = formats
        self.wait = wait
        self.give_up_after = give_up_after
        self.on_missing = on_missing
        self._began = 0.0

    def execute(self, context: Context) -> list[Segment] | list[str] | None:
        """Fetch the transcript, and write it if there is a destination; or go and wait for it."""
        self._began = time.monotonic()
        formats = transcripts.check_formats(self.formats)
        give_up_after = as_duration("give_up_after", self.give_up_after)
        as_flag("wait", self.wait)
        as_one_of("on_missing", self.on_missing, ON_MISSING)
        if self.destination is not None:
            _folder(self.destination)
        try:
            segments = self.hook.open_transcript(self.session_id)
        except LessonspaceTranscriptNotReady:
            self._without_transcript(give_up_after)
            return None
        return self._keep(segments, formats)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> list[Segment] | list[str] | None:
        """Take what the trigger fired."""
        message = clean_message(event.get("message"))
        if event.get("status") == "timeout":
            raise self._timed_out(message)
        if event.get("status") == "ready":
            return self._keep(self.hook.open_transcript(self.session_id), transcripts.check_formats(self.formats))
        if event.get("status") in ("not_eligible", "given_up"):
            self._go_without(message)
            return None
        raise LessonspaceError(f"Waiting for the transcript of session {self.session_id} failed: {message}")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> object:
        """Come back from the triggerer."""
        if ended_without_report(next_method, next_kwargs):
            raise self._timed_out(NO_REPORT)
        return super().resume_execution(next_method, next_kwargs, context)

    def _without_transcript(self, give_up_after: timedelta) -> None:
        """Ask the session why a transcript is 404; then wait for it, or act as ``on_missing`` says."""
        now = datetime.now(timezone.utc)
        awaited = AwaitedTranscript(as_uuid("session_id", self.session_id), give_up_after, began_at=now)
        verdict = awaited.prospect(self.hook, now)
        message = asked_with(self.lessonspace_conn_id, verdict.message)
        if verdict.status != "pending":
            self._go_without(message)
        elif self.wait:
            self.log.info("%s", message)
            self._defer(replace(awaited, ended_at=verdict.ended_at))
        else:
            self._go_without(f"{message} To wait for it in the triggerer, give wait=True.")

    def _defer(self, awaited: AwaitedTranscript) -> None:
        from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger

        timeout = deferral_timeout(None, self.execution_timeout, time.monotonic() - self._began)
        trigger = LessonspaceTranscriptTrigger(
            **awaited.to_dict(),
            lessonspace_conn_id=self.lessonspace_conn_id,
            timeout_at=report_time(timeout, awaited.began_at),
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)

    def _timed_out(self, found: str) -> AirflowTaskTimeout:
        message = (
            f"Timed out after {self.execution_timeout} (execution_timeout). It waited for the transcript of session "
            f"{self.session_id}. {found}"
        )
        return AirflowTaskTimeout(asked_with(self.lessonspace_conn_id, message))

    def _go_without(self, message: str) -> None:
        if self.on_missing == "fail":
            raise LessonspaceTranscriptNotReady(message, status=404)
        if self.on_missing == "skip":
            raise AirflowSkipException(message)
        self.log.warning("%s", message)

    def _keep(self, segments: Collection[Segment], formats: Sequence[str]) -> list[Segment] | list[str]:
        written = f"{len(segments)} segment(s) of session {self.session_id}"
        if self.destination is None:
            self.log.info("Returned %s as the task's result.", written)
            return transcripts.in_memory(self.session_id, segments)
        path = transcript_path(self.hook.get_session(self.session_id))
        files = [_folder(self.destination) / f"{path}.{format_name}" for format_name in formats]
        for file, format_name in zip(files, formats):
            write_pieces(file, transcripts.pieces_of(segments, format_name))
            self.log.info("Wrote %s to %s", written, file)
        return [str(file) for file in files]


class LessonspaceArchiveTranscriptsOperator(LessonspaceOperator):
    """
    Archive the transcripts of all sessions that ended in a window, and account for every one of them.

    Transcripts are written to ``<destination>/YYYY/MM/DD/<session uuid>.<format>`` (day of the session's end, UTC),
    the account to ``<destination>/manifests/<window>.json``. A transcript that is not there yet is pending and no
    failure. Each run also settles what earlier windows have left open, however long ago, and files sessions whose end
    became known late.
    A retry downloads only what is missing. When a session fails, the others are archived anyway; the task then fails at
    its end and names those that did. Each archive needs a destination of its own.

    .. seealso::
        For more information on how to use it, take a look at the guide: docs/transcripts.md#the-archive

    :param destination: a folder as ``ObjectStoragePath`` takes it, e.g. ``s3://aws_default@bucket/transcripts``.
    :param window_start: aware datetime or ISO 8601 text; sessions that ended at this moment belong to the window. None:
        the start of the run's data interval.
    :param window_end: likewise, its end; sessions that ended at this moment belong to the next window.
    :param formats: which files to write per session, any of the names in ``transcripts.WRITERS``. With ``json`` among
        them, what a killed run has left is completed without fetching it again; without, it is fetched again.
    :param path_template: where a transcript is written, of the fields in ``archive_paths.PATH_FIELDS``; must hold
        ``{session_id}``.
    :param redact_speakers: write roles or numbers in place of speakers' names; names that were spoken stay.
    :param space_id: archive this space's sessions only; UUID, or slug (launch's ``room_id``).
    :param filters: further filters of ``LessonspaceHook.list_sessions``, such as ``tags`` or ``space``.
    :param include_single_user: whether sessions of one person are accounted for too (they have no transcript).
    :param give_up_after: how long after its end a session's transcript is waited for; timedelta or seconds.
    :param dry_run: say in the log what would be done, in earlier windows too, and do nothing. Sessions with files to
        fetch or to write count as pending.
    :return: see ``ArchiveResult``. The same is the ``extra`` of the event of each outlet asset. A dry run has such
        events, too, with None as the manifest.
    :raises LessonspaceInputError: for a parameter that can't be used, before any request.
    :raises LessonspaceDestinationError: when the destination's store refuses, before any transcript is asked for.
    :raises LessonspaceError: at the end, when sessions failed, or an earlier window's manifest can't be brought up to
        date.
    """

    template_fields: Sequence[str] = (
        "lessonspace_conn_id",
        "destination",
        "window_start",
        "window_end",
        "formats",
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
        space_id: str | None = None,
        filters: Mapping[str, FilterValue | None] | None = None,
        include_single_user: bool = True,
        give_up_after: timedelta | float = DEFAULT_GIVE_UP_AFTER,
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
        self.space_id = space_id
        self.filters = filters
        self.include_single_user = include_single_user
        self.give_up_after = give_up_after
        self.only_plan = dry_run

    def execute(self, context: Context) -> ArchiveResult:
        """Archive session by session, write the manifests, then fail if any session did."""
        start, end = self._window(context)
        sessions = self._sessions(start, end, self._checked_filters())
        archiver = self._archiver()
        window = archiver.archive_window(sessions, start, end)
        counts, path = window.account["counts"], None if self.only_plan else str(window.path)
        self.log.info("%d sessions ended in the window: %s. Manifest: %s", sum(counts.values()), counts, path)
        earlier, problems = archiver.settle_earlier(start, window.elsewhere)
        result = ArchiveResult(
            counts=counts,
            manifest=path,
            updated_manifests=[str(other.path) for other in earlier],
            earlier=archive.count(entry for other in earlier for entry in other.changed),
        )
        for asset in self.outlets:
            context["outlet_events"][asset].extra = cast("dict[str, Any]", {**result})
        if not self.only_plan:
            interval = (context.get("data_interval_start"), context.get("data_interval_end"))
            self._warn_of_gaps(archiver.gaps(until=start), end - start, are_intervals=(start, end) == interval)
            _fail_if_any_failed([window, *earlier], problems)
        for problem in problems:
            self.log.warning("%s", problem)
        return result

    def _warn_of_gaps(self, gaps: Sequence[Window], interval: timedelta, *, are_intervals: bool) -> None:
        """Name the latest gaps with what fills them, in each run until they are filled."""
        for gap in gaps[-MOST_GAPS:]:
            # It goes by logical dates, which are the starts of data intervals, but not of other windows.
            command = backfill_command(self.dag_id, gap, interval) if are_intervals else None
            self.log.warning(
                "No manifest accounts for the sessions that ended from %s to %s. Unless a run for that time is in "
                "progress, or it was left out on purpose, archive it: %s",
                *(bound.isoformat() for bound in gap),
                command or "run this task with window_start and window_end for that time",
            )
        if len(gaps) > MOST_GAPS:
            first = gaps[0].start.isoformat()
            self.log.warning(
                "No manifest accounts for %d earlier gaps, the first from %s", len(gaps) - MOST_GAPS, first
            )

    def _window(self, context: Context) -> tuple[datetime, datetime]:
        """Take the window that was given, or else the run's data interval, which not every run has."""
        start = context.get("data_interval_start") if self.window_start is None else self.window_start
        end = context.get("data_interval_end") if self.window_end is None else self.window_end
        if start is None or end is None:
            raise LessonspaceInputError(
                "There is no window to archive: window_start and window_end were not given, and this run has no data "
                "interval, since it was triggered without a logical date. Trigger it with one, or give both."
            )
        if isinstance(start, datetime) and start == end and self.window_start is None and self.window_end is None:
            self._check_clocks(start, context)
        start, end = as_window(start, end)
        self.log.info("Archiving sessions that ended from %s until %s", write_time(start), write_time(end))
        return start, end

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
            else f"What ended before it is archived already: give the window that starts at {write_time(end)}"
        )
        raise LessonspaceInputError(
            f"There is no window to archive: this run's data interval starts and ends at {write_time(end)}, since the "
            f"clocks of {zone} change then and skip the hour of the schedule. {advice}. A schedule in UTC, or at an "
            f"hour that no clock skips, has no such day."
        )

    def _archiver(self) -> Archiver:
        layout = ArchiveLayout(
            destination=_folder(self.destination),
            formats=transcripts.check_formats(self.formats),
            path_template=check_path_template(self.path_template),
            redact_speakers=as_flag("redact_speakers", self.redact_speakers),
        )
        give_up_after = as_duration("give_up_after", self.give_up_after)
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

    def _sessions(self, start: datetime, end: datetime, filters: Mapping[str, FilterValue | None]) -> Iterator[Session]:
        """List the sessions of the window and of the time before, some of them twice."""
        began = datetime.now(timezone.utc)
        yield from self._listed(start - LOOK_BACK, end, filters)
        if began - end < OVERLAP:
            # What ended lately is listed again, from its beginning: the list goes by the sessions' starts, and a long
            # one that has just ended stands far down.
            yield from self._listed(max(start, began), end, filters)

    def _listed(self, after: datetime, end: datetime, filters: Mapping[str, FilterValue | None]) -> Iterator[Session]:
        bounds: dict[str, FilterValue | None] = {
            **filters,
            "end_time_after": after - OVERLAP,
            "end_time_before": end + WINDOW_MARGIN,
            "include_single_user": self.include_single_user,
        }
        if self.space_id is not None:
            # Asked for here, or each of the threads that fetch would ask for itself.
            self.log.info("Space %s of organisation %s", self.space_id, self.hook.organisation_id)
            return self.hook.list_space_sessions(self.space_id, **bounds)
        return self.hook.list_sessions(**bounds)


def _folder(destination: object) -> ObjectStoragePath:
    return as_place(destination, "an absolute folder or a URL, such as 's3://aws_default@bucket/folder'")


def _fail_if_any_failed(windows: Sequence[ArchivedWindow], problems: Sequence[str]) -> None:
    """Fail for sessions first, then for manifests of earlier windows."""
    failed = [
        f"{clean_words(entry['session_id'])}: {clean_message(entry['reason'])}"
        for window in windows
        for entry in window.failed
    ]
    complaints = []
    if failed:
        more = f"; and {len(failed) - MOST_NAMED} more, see the manifest" if len(failed) > MOST_NAMED else ""
        complaints.append(
            f"{len(failed)} session(s) failed, all others are accounted for in {windows[0].path}. Run the task again, "
            f"it asks only for what is missing: {'; '.join(failed[:MOST_NAMED])}{more}"
        )
    if problems:
        complaints.append(f"Earlier windows could not be brought up to date: {'; '.join(problems)}")
    if complaints:
        raise LessonspaceError("\n".join(complaints))
