# SPDX-License-Identifier: Apache-2.0
"""Operators for transcripts: one session's, and the nightly archive of all that ended in a window."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypedDict

from airflow.providers.common.compat.sdk import ObjectStoragePath

from lessonspace_provider import archive, transcripts
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceTranscriptNotReady
from lessonspace_provider.operators.base import LessonspaceOperator
from lessonspace_provider.parameters import as_aware_datetime, refuse
from lessonspace_provider.sessions import end_time, ended_within, transcript_obstacle
from lessonspace_provider.storage import write_whole

if TYPE_CHECKING:
    from airflow.sdk import Context

    from lessonspace_provider.api_types import FilterValue, Segment, Session

DEFAULT_FORMATS = ("json", "txt")
DEFAULT_GIVE_UP_AFTER = timedelta(days=7)

#: How much wider the API is asked than the window is, since the reference does not say whether its bounds
#: belong to the range, nor how exact its times are.
WINDOW_MARGIN = timedelta(seconds=1)

#: Filters that the window itself gives.
_FILTERS_OF_THE_WINDOW = ("end_time_after", "end_time_before", "include_single_user", "page", "in_progress_only")


class ArchiveResult(TypedDict):
    """What the archive operator returns: sessions per status, and where their manifest lies."""

    counts: dict[archive.Status, int]
    manifest: str


class LessonspaceGetTranscriptOperator(LessonspaceOperator):
    """
    Fetch the transcript of one session, into XCom or into files.

    :param session_id: the session's uuid.
    :param destination: a folder as ``ObjectStoragePath`` takes it, e.g. ``s3://aws_default@bucket/transcripts``.
        None: the segments become the task's result. A transcript of an hour has over 100 kB and people's names,
        so a destination is the better choice.
    :param formats: which files to write, any of the names in ``transcripts.WRITERS``.
    :return: the segments, or the paths of the written files in the order of ``formats``.
    :raises LessonspaceTranscriptNotReady: it is not there (yet).
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "session_id", "destination", "formats")

    def __init__(
        self,
        *,
        session_id: str,
        destination: str | ObjectStoragePath | None = None,
        formats: Sequence[str] = DEFAULT_FORMATS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.destination = destination
        self.formats = formats

    def execute(self, context: Context) -> list[Segment] | list[str]:  # noqa: ARG002
        """Fetch the transcript, and write it if there is a destination."""
        formats = transcripts.check_formats(self.formats)
        if self.destination is None:
            return self.hook.get_transcript(self.session_id)
        session = self.hook.get_session(self.session_id)
        segments = self.hook.get_transcript(self.session_id)
        destination = ObjectStoragePath(self.destination)
        files = _write_transcript(session, segments, formats, destination)
        return [str(destination / file["path"]) for file in files]


class LessonspaceArchiveTranscriptsOperator(LessonspaceOperator):
    """
    Archive the transcripts of all sessions that ended in a window, and account for every one of them.

    Transcripts are written to ``<destination>/YYYY/MM/DD/<session uuid>.<format>`` (day of the session's end, UTC),
    the account to ``<destination>/manifests/<window>.json``. A transcript that is not there yet is pending and no
    failure. When a session failed, the others are archived all the same; the task then fails at its end and names
    those that did.

    :param destination: a folder as ``ObjectStoragePath`` takes it, e.g. ``s3://aws_default@bucket/transcripts``.
    :param window_start: aware datetime or ISO 8601 text; sessions that ended at this moment belong to the window.
    :param window_end: likewise; sessions that ended at this moment belong to the next window.
    :param formats: which files to write per session, any of the names in ``transcripts.WRITERS``.
    :param filters: further filters of ``LessonspaceHook.list_sessions``, such as ``tags`` or ``space``.
    :param give_up_after: how long after its end a session's transcript is waited for; timedelta or seconds.
    :return: ``{"counts": {status: number}, "manifest": path}``.
    :raises LessonspaceInputError: for a parameter that can't be used, before any request.
    :raises LessonspaceError: at the end, when sessions failed.
    """

    template_fields: Sequence[str] = (
        "lessonspace_conn_id",
        "destination",
        "window_start",
        "window_end",
        "formats",
        "filters",
    )

    def __init__(
        self,
        *,
        destination: str | ObjectStoragePath,
        window_start: datetime | str = "{{ data_interval_start }}",
        window_end: datetime | str = "{{ data_interval_end }}",
        formats: Sequence[str] = DEFAULT_FORMATS,
        filters: Mapping[str, FilterValue | None] | None = None,
        give_up_after: timedelta | float = DEFAULT_GIVE_UP_AFTER,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.window_start = window_start
        self.window_end = window_end
        self.formats = formats
        self.filters = filters
        self.give_up_after = give_up_after

    def execute(self, context: Context) -> ArchiveResult:  # noqa: ARG002
        """Archive session by session, write the manifest, then fail if any session did."""
        start, end = _checked_window(self.window_start, self.window_end)
        formats = transcripts.check_formats(self.formats)
        give_up_after = _checked_duration("give_up_after", self.give_up_after)
        destination = ObjectStoragePath(self.destination)

        entries = [
            self._archive(session, destination, formats, give_up_after) for session in self._sessions(start, end)
        ]
        account = archive.manifest(start, end, entries)
        path = destination / archive.manifest_path(start, end)
        write_whole(path, json.dumps(account, ensure_ascii=False, indent=1).encode())
        self.log.info("%d sessions ended in the window: %s. Manifest: %s", len(entries), account["counts"], path)
        _fail_if_any_failed(account, str(path))
        return ArchiveResult(counts=account["counts"], manifest=str(path))

    def _sessions(self, start: datetime, end: datetime) -> Iterator[Session]:
        """Yield each session of the window once, also when the list moves while it is read."""
        filters = dict(self.filters or {})
        for name in _FILTERS_OF_THE_WINDOW:
            if name in filters:
                raise refuse("filters", sorted(filters), f"without {name}, which the window gives")
        seen = set()
        for session in self.hook.list_sessions(
            **filters,
            end_time_after=start - WINDOW_MARGIN,
            end_time_before=end + WINDOW_MARGIN,
            include_single_user=True,
        ):
            if session["uuid"] not in seen and ended_within(session, start, end):
                seen.add(session["uuid"])
                yield session

    def _archive(
        self, session: Session, destination: ObjectStoragePath, formats: Sequence[str], give_up_after: timedelta
    ) -> archive.ManifestSession:
        obstacle = transcript_obstacle(session)
        if obstacle is not None:
            return archive.manifest_session(session, "not_eligible", reason=obstacle)
        try:
            segments = self.hook.get_transcript(session["uuid"])
            files = _write_transcript(session, segments, formats, destination)
        except LessonspaceTranscriptNotReady:
            return _not_ready(session, give_up_after)
        except (LessonspaceError, OSError) as error:
            self.log.error("Session %s failed: %s", session["uuid"], error)
            return archive.manifest_session(session, "failed", reason=str(error))
        self.log.info("Session %s archived, %d segments.", session["uuid"], len(segments))
        return archive.manifest_session(session, "archived", segments=len(segments), files=files)


def _write_transcript(
    session: Session, segments: Sequence[Segment], formats: Sequence[str], destination: ObjectStoragePath
) -> list[archive.ManifestFile]:
    files = []
    for format_name in formats:
        path, data = archive.transcript_path(session, format_name), transcripts.write(segments, format_name)
        write_whole(destination / path, data)
        files.append(archive.describe_file(format_name, path, data))
    return files


def _not_ready(session: Session, give_up_after: timedelta) -> archive.ManifestSession:
    end = end_time(session) or datetime.now(timezone.utc)
    if datetime.now(timezone.utc) < end + give_up_after:
        return archive.manifest_session(
            session, "pending", reason="no transcript yet", pending_until=end + give_up_after
        )
    return archive.manifest_session(
        session, "given_up", reason=f"no transcript {give_up_after} after the session's end"
    )


def _fail_if_any_failed(account: archive.Manifest, path: str) -> None:
    failed = [entry for entry in account["sessions"] if entry["status"] == "failed"]
    if failed:
        names = "; ".join(f"{entry['session_id']}: {entry['reason']}" for entry in failed)
        raise LessonspaceError(
            f"{len(failed)} of {len(account['sessions'])} sessions failed, the rest is archived. Run the task again "
            f"for these (manifest {path}): {names}"
        )


def _checked_window(window_start: datetime | str, window_end: datetime | str) -> tuple[datetime, datetime]:
    start = as_aware_datetime("window_start", window_start)
    end = as_aware_datetime("window_end", window_end)
    if start >= end:
        raise LessonspaceInputError(
            f"The window from {start.isoformat()} to {end.isoformat()} is empty: window_end must lie after it. "
            f"A DAG with schedule='@daily' has no data interval in Airflow 3: use a CronDataIntervalTimetable."
        )
    return start, end


def _checked_duration(parameter: str, value: timedelta | float) -> timedelta:
    duration = value if isinstance(value, timedelta) else timedelta(seconds=value)
    if duration <= timedelta(0):
        raise refuse(parameter, value, "a timedelta or seconds above 0")
    return duration
