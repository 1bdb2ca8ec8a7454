# SPDX-License-Identifier: Apache-2.0
"""Operators for sessions: list, get and update them, and hand on the link to a recording."""

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

    :param space_id: list this space's sessions; UUID, or slug (launch's ``room_id``). None: the organisation's.
    :param filters: the API's own names, as for ``LessonspaceHook.list_sessions``; times as aware datetimes or ISO
        8601 text with an offset.
    :param fields: None for ids, name, times and counts (no people, see ``SessionSummary``), a list of the API's
        field names, or ``"all"`` for whole sessions, personal data included. What opens a recording or a space
        (``playback_url``, ``playback_password``, ``space.url`` and the like) is left out in any case.
    :param destination: a ``.jsonl`` file as ``ObjectStoragePath`` takes it, for an entry per line; whole, or not at
        all. None: the list becomes the task's result, which must fit XCom.
    :param chunk_size: return lists of so many entries, to map tasks over: Airflow maps over 1,024 at most
        (``[core] max_map_length``). None: entries, not chunks.
    :return: a list with an entry per session, or see ``WrittenList``.
    :raises LessonspaceInputError: for a parameter that can't be used, before any request; and for a list that is too
        large for XCom.
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
    :param fields: None for ids, name, times and counts (no people, see ``SessionSummary``), a list of the API's
        field names, or ``"all"`` for the whole session, personal data included. What opens a recording or a space
        (``playback_url``, ``playback_password``, ``space.url`` and the like) is left out in any case.
    :return: the session.
    :raises LessonspaceInputError: for a parameter that can't be used, before any request.
    :raises LessonspaceNotFoundError: no such session, or launched and not yet joined by anybody.
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
    """What an update did: ``old`` and ``new`` hold name and recording_access_policy; equal if ``updated`` is False."""

    session_id: str
    updated: bool
    old: SessionUpdate
    new: SessionUpdate


class LessonspaceUpdateSessionOperator(LessonspaceOperator):
    """
    Rename a session, or change who may watch its recording, or both.

    The session is read first, once: for the old values, and because the API requires the name even when only the policy
    is to change. What another user renames between reading and sending gets its old name back.

    Guide: docs/how-to/update-sessions.md#update-a-session

    :param session_id: its uuid.
    :param name: the new name; None leaves it.
    :param recording_access_policy: any of participant, admin, teacher, student, public; ``[]`` is the organisation's
        policy; None leaves it.
    :param force: send the update even if it would change nothing.
    :return: old and new values, see ``SessionChange``.
    :raises LessonspaceInputError: for a parameter that can't be used, before any request; or after the session was
        read, when only the policy is given and it has no name.
    :raises LessonspaceServerError: when the API took the update and answers with another policy.
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

    An update costs one call. Where only the policy is to change and the session's name is not known, a second one reads
    it, since the API requires a name. Nothing is sent to a session that is known to have the wanted values. A retry
    updates only what is not done.

    Guide: docs/how-to/update-sessions.md#update-many-sessions

    :param updates: a list of mappings with ``session_id``, ``name`` and ``recording_access_policy``, also from another
        task; or the path of a ``.jsonl`` or ``.csv`` file with these, as ``ObjectStoragePath`` takes it. With
        ``current``, a mapping of the session's present ``name`` and ``recording_access_policy``, no session is read.
    :param account: a folder as ``ObjectStoragePath`` takes it, one for each run of the DAG, with what became of each
        session in ``account.jsonl``. None: a retry does all updates again.
    :param defaults: ``name`` and ``recording_access_policy`` of all updates that do not give their own.
    :param on_refused: ``"continue"`` sends the others when some updates can't be sent; ``"fail"`` sends none.
    :param accept_incomplete_file: read what can be read of a file that breaks off in its last line.
    :param max_threads: updates at a time. All pass the rate limit of the API key.
    :return: see ``JobResult``.
    :raises LessonspaceInputError: for a parameter that can't be used, and for a file that can't be read to its end.
    :raises LessonspaceJobError: at the end, when updates are not done.
    """

    rows_parameter = "updates"
    template_fields: Sequence[str] = ("lessonspace_conn_id", "updates", "account", "defaults")

    def __init__(
        self,
        *,
        updates: Iterable[Mapping[str, object]] | str | ObjectStoragePath,
        account: str | ObjectStoragePath | None = None,
        defaults: Mapping[str, object] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(account=account, **kwargs)
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
    """What the task leaves in XCom; ``recording_url`` only with ``push_recording_url``."""

    session_id: str
    delivered: bool
    recording_url: str


class LessonspaceGetRecordingUrlOperator(LessonspaceOperator):
    """
    Get the link to a session's recording, and hand it on inside the task.

    Anyone with the link can watch for about 3 hours, so it stays out of XCom. With neither ``deliver`` nor
    ``push_recording_url``, the task only reports that there is a recording.

    Guide: docs/how-to/recordings.md#recordings

    :param session_id: its uuid.
    :param deliver: ``deliver(recording, context)`` with ``session_id`` and ``recording_url`` (see ``Recording``); or an
        Airflow notifier, rendered with ``recording`` in its context. When it fails the task fails; a retry gets another
        link and delivers that.
    :param push_recording_url: push the link to XCom, where all who may read XCom can watch.
    :return: see ``RecordingResult``.
    :raises LessonspaceInputError: for a parameter that can't be used, before any request.
    :raises LessonspaceNotFoundError: no such session, or no recording of it.
    :raises LessonspaceDeliveryError: when the delivery failed.
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
                then="fix deliver and run the task again: it gets another link.",
                log=self.log,
            )
        result = RecordingResult(session_id=session_id, delivered=self.deliver is not None)
        if self.push_recording_url:
            result["recording_url"] = url
            self.log.info("The link to the recording of session %s is in XCom (push_recording_url).", session_id)
        elif self.deliver is None:
            self.log.warning(
                "Session %s has a recording, but its link went nowhere: give deliver or push_recording_url.", session_id
            )
        return result


def _name_and_policy(session: Session | SessionUpdate) -> SessionUpdate:
    return {"name": session.get("name"), "recording_access_policy": session.get("recording_access_policy")}
