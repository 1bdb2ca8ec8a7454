# SPDX-License-Identifier: Apache-2.0
"""Operators for sessions: list, get and update them, and deliver the link to a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from lessonspace_provider.api.arguments import as_flag, as_session_update, as_uuid
from lessonspace_provider.api.fields import as_fields, pick, unpicked
from lessonspace_provider.api.filters import SPACE_SESSION_FILTERS, refuse_unknown
from lessonspace_provider.api.shapes import odd_session_fields
from lessonspace_provider.api.types import Recording, Session
from lessonspace_provider.bulk.cells import UPDATE_COLUMNS, Columns
from lessonspace_provider.bulk.rows import as_defaults
from lessonspace_provider.bulk.threads import WORKERS
from lessonspace_provider.bulk.updates import FIELDS, plan_updates, send_changes, send_update
from lessonspace_provider.operators.base import LessonspaceListOperator, LessonspaceOperator
from lessonspace_provider.operators.bulk import JobResult, LessonspaceBulkOperator
from lessonspace_provider.output.delivery import check_deliver, deliver_link
from lessonspace_provider.sessions import fields_that_change, summary

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from airflow.sdk.bases.notifier import BaseNotifier

    from lessonspace_provider.api.types import FilterValue, SessionUpdate
    from lessonspace_provider.sessions import SessionSummary

#: Delivers the link to one recording, inside the task.
DeliverRecording = Callable[[Recording, "Context"], object]


class LessonspaceListSessionsOperator(LessonspaceListOperator[Session]):
    """
    List sessions of the organisation, or of one space, for mapped tasks or into a file.

    Guide: docs/how-to/lists.md#sessions

    :param space_id: list the sessions of this space; UUID, or slug (launch's ``room_id``). None: all sessions of the
        organisation.
    :param filters: the API's own names, as for ``LessonspaceHook.list_sessions``; times as aware datetimes or ISO
        8601 text with an offset.
    :param fields: None for ids, name, times and counts, without people (see ``SessionSummary``); a list of the API's
        field names; or ``"all"`` for whole sessions with personal data. Fields that open a recording or a space
        (``playback_url``, ``playback_password``, ``space.url`` and the like) are always left out.
    :param destination: a ``.jsonl`` file as ``ObjectStoragePath`` takes it, with one entry per line, written
        atomically. None: the list is the task's result, and must fit into XCom.
    :param chunk_size: return a list of lists with this many entries each, to map tasks over. Airflow maps over 1,024
        at most (``[core] max_map_length``). None: one list of entries.
    :return: a list with one entry per session; with ``destination``, see ``WrittenList``.
    :raises LessonspaceInputError: for a wrong parameter, before any request; and for a list that is too large for XCom.
    """

    template_fields: Sequence[str] = (*LessonspaceListOperator.template_fields, "space_id")

    def __init__(
        self,
        *,
        space_id: str | None = None,
        filters: Mapping[str, FilterValue | None] | None = None,
        fields: Sequence[str] | Literal["all"] | None = None,
        destination: str | ObjectStoragePath | None = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=filters, fields=fields, destination=destination, chunk_size=chunk_size, **kwargs)
        self.space_id = space_id

    def _list(self, filters: dict[str, FilterValue | None]) -> Iterator[Session]:
        if self.space_id is None:
            return self.hook.list_sessions(**filters)
        refuse_unknown(filters, SPACE_SESSION_FILTERS, "filter")  # one of them could be called space_id
        return self.hook.list_space_sessions(self.space_id, **filters)

    def _short(self, entry: Session) -> SessionSummary:
        return summary(entry)


class LessonspaceGetSessionOperator(LessonspaceOperator):
    """
    Get one session.

    Guide: docs/how-to/lists.md#one-session

    :param session_id: its uuid.
    :param fields: None for ids, name, times and counts, without people (see ``SessionSummary``); a list of the API's
        field names; or ``"all"`` for the whole session with personal data. Fields that open a recording or a space
        (``playback_url``, ``playback_password``, ``space.url`` and the like) are always left out.
    :return: the session.
    :raises LessonspaceInputError: for a wrong parameter, before any request.
    :raises LessonspaceNotFoundError: if there is no such session. A launched session exists after a person has joined.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "session_id", "fields")

    def __init__(self, *, session_id: str, fields: Sequence[str] | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.fields = fields

    def execute(self, context: Context) -> SessionSummary | dict[str, object]:
        """Read the session."""
        fields = as_fields(self.fields)
        session = self.hook.get_session(self.session_id)
        if odd := odd_session_fields(session):
            self.log.warning("Session %s has fields that can't be read: %s", self.session_id, ", ".join(odd))
        for sentence in unpicked(session, fields):
            self.log.warning("Session %s: %s", self.session_id, sentence)
        result = summary(session) if fields is None else pick(session, fields)
        self.log.info("Read session %s: %d fields are in the result.", self.session_id, len(result))
        return result


class SessionChange(TypedDict):
    """What an update did: name and recording_access_policy before (``old``) and after it (``new``)."""

    session_id: str
    updated: bool
    old: SessionUpdate
    new: SessionUpdate


class LessonspaceUpdateSessionOperator(LessonspaceOperator):
    """
    Rename a session, or change who may watch its recording, or both.

    The operator reads the session once before the update: for the old values, and because the API requires a name even
    if only the policy changes. A session that another user renames at the same moment gets its old name back.

    Guide: docs/how-to/update-sessions.md#update-a-session

    :param session_id: its uuid.
    :param name: the new name; None keeps the present one.
    :param recording_access_policy: who may watch: any of participant, admin, teacher, student, public. ``[]`` restores
        the organisation's policy; None keeps the present one.
    :param force: send the update even if it would change nothing.
    :return: old and new values, see ``SessionChange``.
    :raises LessonspaceInputError: for a wrong parameter, before any request. Also if only the policy is given and the
        session has no name, after the session was read.
    :raises LessonspaceServerError: if the API accepts the update and returns a different policy.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "session_id", "name", "recording_access_policy")

    def __init__(
        self,
        *,
        session_id: str,
        name: str | None = None,
        recording_access_policy: list[str] | None = None,
        force: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.name = name
        self.recording_access_policy = recording_access_policy
        self.force = force

    def execute(self, context: Context) -> SessionChange:
        """Read the session, then send what differs from it, if anything does."""
        session_id = as_uuid("session_id", self.session_id)
        wanted = as_session_update(session_id, self.name, self.recording_access_policy)
        as_flag("force", self.force)
        session = self.hook.get_session(session_id)
        old = _name_and_policy(session)
        changes = fields_that_change(session, wanted)
        if not changes and not self.force:
            self.log.info("Session %s already has these values: nothing was sent (force=True sends them).", session_id)
            return SessionChange(session_id=session_id, updated=False, old=old, new=old)
        answer = send_changes(self.hook, session_id, wanted, session)
        self.log.info("Session %s was updated: %s.", session_id, " and ".join(changes) or "all as before")
        return SessionChange(session_id=session_id, updated=True, old=old, new=_name_and_policy(answer))


class LessonspaceUpdateSessionsOperator(LessonspaceBulkOperator):
    """
    Rename many sessions, or change who may watch their recordings, in one task.

    An update costs one call. The API requires a name: if only the policy changes and the name is not known, a second
    call reads it. A session that is known to have the wanted values costs no call. A retry updates only what is not
    done.

    Guide: docs/how-to/update-sessions.md#update-many-sessions

    :param updates: a list of mappings with ``session_id``, ``name`` and ``recording_access_policy``, also from another
        task; or the path of a ``.jsonl`` or ``.csv`` file with these fields, as ``ObjectStoragePath`` takes it. The
        field ``current``, a mapping of the present ``name`` and ``recording_access_policy``, saves reading the session.
    :param account: a folder as ``ObjectStoragePath`` takes it, one for each run of the DAG. Its file ``account.jsonl``
        has the result for each session. None: a retry repeats all updates.
    :param defaults: ``name`` and ``recording_access_policy`` for updates without their own.
    :param on_refused: if some updates can't be sent, ``"continue"`` sends the others, ``"fail"`` sends none.
    :param accept_incomplete_file: if a file breaks off in its last line, use the lines before.
    :param max_threads: number of updates at a time. They share the rate limit of the API key.
    :return: see ``JobResult``.
    :raises LessonspaceInputError: for a wrong parameter, and for a file that can't be read to its end.
    :raises LessonspaceJobError: at the end, if updates are not done.
    """

    rows_parameter = "updates"
    template_fields: Sequence[str] = ("lessonspace_conn_id", "updates", "account", "defaults")

    def __init__(
        self,
        *,
        updates: Iterable[Mapping[str, object]] | str | ObjectStoragePath,
        account: str | ObjectStoragePath | None = None,
        defaults: Mapping[str, object] | None = None,
        on_refused: Literal["continue", "fail"] = "continue",
        accept_incomplete_file: bool = False,
        max_threads: int = WORKERS,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            account=account,
            on_refused=on_refused,
            accept_incomplete_file=accept_incomplete_file,
            max_threads=max_threads,
            **kwargs,
        )
        self.updates = updates
        self.defaults = defaults

    @staticmethod
    def columns() -> Columns:
        """Give the columns of an input file of CSV."""
        return UPDATE_COLUMNS

    def execute(self, context: Context) -> JobResult:
        """Check all updates, then send those that are not done and change something."""
        plan = partial(plan_updates, defaults=as_defaults(self.defaults, FIELDS))
        return self._run_job(plan, partial(send_update, self.hook))


class RecordingResult(TypedDict, total=False):
    """The task's result in XCom; ``recording_url`` only with ``push_recording_url``."""

    session_id: str
    delivered: bool
    recording_url: str


class LessonspaceGetRecordingUrlOperator(LessonspaceOperator):
    """
    Get the link to a session's recording, and deliver it inside the task.

    Anyone with the link can watch for about 3 hours, so it stays out of XCom. With neither ``deliver`` nor
    ``push_recording_url``, the task only reports that a recording exists.

    Guide: docs/how-to/recordings.md#recordings

    :param session_id: its uuid.
    :param deliver: a function ``deliver(recording, context)``, where ``recording`` has ``session_id`` and
        ``recording_url`` (see ``Recording``); or an Airflow notifier, rendered with ``recording`` in its context. If
        the delivery fails, the task fails, and its retry delivers a new link.
    :param push_recording_url: push the link to XCom. Every user who may read XCom can then watch.
    :return: see ``RecordingResult``.
    :raises LessonspaceInputError: for a wrong parameter, before any request.
    :raises LessonspaceNotFoundError: if there is no such session, or no recording of it.
    :raises LessonspaceDeliveryError: if the delivery failed.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "session_id")

    def __init__(
        self,
        *,
        session_id: str,
        deliver: DeliverRecording | BaseNotifier | None = None,
        push_recording_url: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.deliver = deliver
        self.push_recording_url = push_recording_url

    def execute(self, context: Context) -> RecordingResult:
        """Get the link, then deliver it."""
        check_deliver(self.deliver, "recording")
        as_flag("push_recording_url", self.push_recording_url)
        session_id = as_uuid("session_id", self.session_id)
        url = self.hook.get_recording_url(session_id)
        if self.deliver is not None:
            deliver_link(
                self.deliver,
                Recording(session_id=session_id, recording_url=url),
                context,
                called="recording",
                what=f"The link to the recording of session {session_id}",
                then="fix deliver and run the task again: it delivers a new link.",
                log=self.log,
            )
        result = RecordingResult(session_id=session_id, delivered=self.deliver is not None)
        if self.push_recording_url:
            result["recording_url"] = url
            self.log.info("The link to the recording of session %s is in XCom (push_recording_url).", session_id)
        elif self.deliver is None:
            self.log.warning(
                "Session %s has a recording, but its link was not delivered: set deliver or push_recording_url.",
                session_id,
            )
        return result


def _name_and_policy(session: Session | SessionUpdate) -> SessionUpdate:
    return {"name": session.get("name"), "recording_access_policy": session.get("recording_access_policy")}
