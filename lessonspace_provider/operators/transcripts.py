# SPDX-License-Identifier: Apache-2.0
"""Operators for transcripts: of one session, and the archive of all in a window."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout

from lessonspace_provider.api.arguments import as_duration, as_flag, as_one_of, as_uuid, refuse, refuse_hidden
from lessonspace_provider.api.foreign_words import clean_message
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.paths import transcript_path
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceTranscriptNotReady
from lessonspace_provider.operators.archive import (
    DEFAULT_FORMATS,
    ArchiveResult,
    LessonspaceArchiveTranscriptsOperator,
)
from lessonspace_provider.operators.base import LessonspaceOperator, as_folder
from lessonspace_provider.output.files import write_pieces
from lessonspace_provider.transcripts import formats as transcripts
from lessonspace_provider.transcripts.segments import in_memory
from lessonspace_provider.triggers.time_limits import NO_REPORT, deferral_timeout, ended_without_report, report_time
from lessonspace_provider.waiting.awaited import DEFAULT_GIVE_UP_AFTER, AwaitedTranscript, asked_with

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from lessonspace_provider.api.types import Segment, Session

__all__ = ["ArchiveResult", "LessonspaceArchiveTranscriptsOperator", "LessonspaceGetTranscriptOperator"]

ON_MISSING = ("fail", "skip", "none")


class LessonspaceGetTranscriptOperator(LessonspaceOperator):
    """
    Download the transcript of one session, into XCom or into files.

    Guide: docs/how-to/transcripts.md#get-one-transcript

    :param session_id: the session's uuid.
    :param session: in place of ``session_id``, a session from ``LessonspaceListSessionsOperator``, for
        ``.expand(session=...)``. Files then cost one call instead of two, because their path is made of the session's
        ``end_time``. Airflow does not render this parameter, so the session's name can't be a template.
    :param destination: a folder as ``ObjectStoragePath`` takes it, e.g. ``s3://aws_default@bucket/transcripts``.
        None: the segments are the task's result in XCom, with people's names. A transcript of an hour has over 100 kB:
        prefer a destination.
    :param formats: files to write: ``json``, ``jsonl``, ``txt``, ``vtt``, ``srt``, ``csv``.
    :param wait: wait in the triggerer until the transcript is ready, at most for ``execution_timeout`` if it is set;
        see ``LessonspaceTranscriptTrigger``. If the session can't have a transcript, the task does not wait.
    :param give_up_after: how long after the session's end to wait; timedelta or seconds.
    :param on_missing: what to do without a transcript: ``fail`` the task, which has its retries; ``skip`` the task; or
        ``none``: the task succeeds and returns None.
    :return: the segments, or the paths of the written files in the order of ``formats``.
    :raises LessonspaceTranscriptNotReady: if there is no transcript and ``on_missing`` is ``fail``. The message has the
        reason: no such session, not ready yet, not eligible, or given up.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "session_id", "destination", "formats")

    def __init__(
        self,
        *,
        session_id: str | None = None,
        session: Mapping[str, object] | None = None,
        destination: str | ObjectStoragePath | None = None,
        formats: Sequence[str] = DEFAULT_FORMATS,
        wait: bool = False,
        give_up_after: timedelta | float = DEFAULT_GIVE_UP_AFTER,
        on_missing: Literal["fail", "skip", "none"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.session = session
        self.destination = destination
        self.formats = formats
        self.wait = wait
        self.give_up_after = give_up_after
        self.on_missing = on_missing
        self._began = 0.0

    def execute(self, context: Context) -> list[Segment] | list[str] | None:
        """Fetch the transcript, and write it if there is a destination; or go and wait for it."""
        self._began = time.monotonic()
        session_id = self._uuid
        formats = transcripts.check_formats(self.formats)
        give_up_after = as_duration("give_up_after", self.give_up_after)
        as_flag("wait", self.wait)
        as_one_of("on_missing", self.on_missing, ON_MISSING)
        if self.destination is not None:
            as_folder(self.destination)
        try:
            segments = self.hook.open_transcript(session_id)
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
            return self._keep(self.hook.open_transcript(self._uuid), transcripts.check_formats(self.formats))
        if event.get("status") in ("not_eligible", "given_up"):
            self._go_without(message)
            return None
        raise LessonspaceError(f"Waiting for the transcript of session {self._uuid} failed: {message}")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> object:
        """Come back from the triggerer."""
        if ended_without_report(next_method, next_kwargs):
            raise self._timed_out(NO_REPORT)
        return super().resume_execution(next_method, next_kwargs, context)

    @cached_property
    def _uuid(self) -> str:
        """The session's uuid."""
        if self.session is None:
            return as_uuid("session_id", self.session_id)
        if self.session_id is not None:
            raise refuse("session_id", self.session_id, "left out where session is given")
        if not isinstance(self.session, Mapping):
            raise refuse_hidden("session", self.session, "one session of a list: map over it with .expand(session=...)")
        return as_uuid("session['session_id']", self.session.get("session_id") or self.session.get("uuid"))

    def _known_session(self) -> Session | None:
        """Give what a file's path is made of; None where the caller's session does not have it."""
        end = read_time(self.session.get("end_time")) if self.session is not None else None
        return None if end is None else {"uuid": self._uuid, "end_time": write_time(end)}

    def _without_transcript(self, give_up_after: timedelta) -> None:
        """Ask the session why a transcript is 404; then wait for it, or act by ``on_missing``."""
        now = datetime.now(timezone.utc)
        awaited = AwaitedTranscript(self._uuid, give_up_after, began_at=now)
        verdict = awaited.prospect(self.hook, now)
        message = asked_with(self.lessonspace_conn_id, verdict.message)
        if verdict.status != "pending":
            self._go_without(message)
        elif self.wait:
            self.log.info("%s", message)
            self._defer(replace(awaited, ended_at=verdict.ended_at))
        else:
            self._go_without(f"{message} To wait in the triggerer, set wait=True.")

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
            f"{self._uuid}. {found}"
        )
        return AirflowTaskTimeout(asked_with(self.lessonspace_conn_id, message))

    def _go_without(self, message: str) -> None:
        if self.on_missing == "fail":
            raise LessonspaceTranscriptNotReady(message, status=404)
        if self.on_missing == "skip":
            raise AirflowSkipException(message)
        self.log.warning("%s", message)

    def _keep(self, segments: Collection[Segment], formats: Sequence[str]) -> list[Segment] | list[str]:
        written = f"{len(segments)} segment(s) of session {self._uuid}"
        if self.destination is None:
            self.log.info("Returned %s as the task's result.", written)
            return in_memory(self._uuid, segments)
        path = transcript_path(self._known_session() or self.hook.get_session(self._uuid))
        files = [as_folder(self.destination) / f"{path}.{format_name}" for format_name in formats]
        for file, format_name in zip(files, formats):
            write_pieces(file, transcripts.pieces_of(segments, format_name))
            self.log.info("Wrote %s to %s", written, file)
        return [str(file) for file in files]
