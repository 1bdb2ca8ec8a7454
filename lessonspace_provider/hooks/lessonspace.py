# SPDX-License-Identifier: Apache-2.0
"""LessonspaceHook: the connection, and one method per operation of the API."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import BaseHook, Connection
from asgiref.sync import sync_to_async

from lessonspace_provider.api import arguments
from lessonspace_provider.api.connection import ConnectionSettings, is_organisation_id
from lessonspace_provider.api.errors import unexpected
from lessonspace_provider.api.filters import (
    SEARCH_FILTERS,
    SESSION_FILTERS,
    SPACE_FILTERS,
    SPACE_SESSION_FILTERS,
    USER_FILTERS,
    encode_filters,
)
from lessonspace_provider.api.launch import launch_body
from lessonspace_provider.api.paging import SESSIONS, SPACES, USERS, Kind, Listing, ListMemory, Query
from lessonspace_provider.api.responses import LARGEST_PAGE
from lessonspace_provider.api.transport import Transport
from lessonspace_provider.exceptions import LessonspaceNotFoundError, LessonspaceServerError
from lessonspace_provider.hooks import older_form
from lessonspace_provider.hooks.connection_check import check_connection
from lessonspace_provider.hooks.masking import mask_secret
from lessonspace_provider.hooks.transcript import open_transcript
from lessonspace_provider.rate_limit.gate import gate_for
from lessonspace_provider.rate_limit.redis_client import redis_client
from lessonspace_provider.sessions import name_to_keep
from lessonspace_provider.transcripts.segments import in_memory

if TYPE_CHECKING:
    from datetime import datetime

    from redis import Redis
    from typing_extensions import Unpack

    from lessonspace_provider.api.types import (
        FilterValue,
        Launch,
        LaunchOptions,
        Segment,
        Session,
        SessionUpdate,
        Space,
        User,
    )


class LessonspaceHook(BaseHook):
    """
    Calls the Lessonspace API v2 with one Airflow connection.

    All calls with the same API key share one rate limit. Failed calls are retried within the connection's
    ``rate_limit_max_wait``. Sessions are always identified by their ``uuid``.

    :param lessonspace_conn_id: a connection of type ``lessonspace``: password = API key, host = base URL.
    """

    conn_name_attr = "lessonspace_conn_id"
    default_conn_name = "lessonspace_default"
    conn_type = "lessonspace"
    hook_name = "Lessonspace"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, object]:
        """
        Return the connection form's standard fields to Airflow 3.0 and 3.1; newer ones do not call this.

        :return: ``hidden_fields``, ``relabeling`` and ``placeholders``.
        """
        return older_form.field_behaviour()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, object]:
        """
        Return the connection form's extra fields to Airflow 3.0 and 3.1; newer ones do not call this.

        :return: WTForms fields by name.
        """
        return older_form.widgets()

    def __init__(self, lessonspace_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.lessonspace_conn_id = arguments.as_connection_id("lessonspace_conn_id", lessonspace_conn_id)
        self._list_memory = ListMemory()

    @cached_property
    def settings(self) -> ConnectionSettings:
        """
        The connection's settings, read once.

        :raises LessonspaceInputError: for a wrong field of the connection.
        """
        return self._read(self.get_connection(self.lessonspace_conn_id))

    def _read(self, connection: Connection) -> ConnectionSettings:
        settings = ConnectionSettings.from_connection(connection)
        for warning in settings.warnings:
            self.log.warning("%s", warning)
        return settings

    async def load_settings(self) -> None:
        """
        Read the connection without blocking the event loop: for triggers, before they use the hook in a thread.

        :raises LessonspaceInputError: for a wrong field of the connection.
        """
        # In a thread: while an extra is read, Airflow 3.0 sends the triggerer what to mask in it.
        self.settings = await sync_to_async(self._read)(await get_async_connection(self.lessonspace_conn_id))
        await sync_to_async(lambda: self._redis)()

    def get_conn(self) -> Transport:
        """
        Return the object that makes the calls, for an operation that this hook does not have.

        :return: the hook's transport, always the same object.
        """
        return self._transport

    def server_time(self) -> datetime | None:
        """
        Return the present time by the API's clock, without a request.

        :return: aware, in UTC; None if no response of the API so far had a ``Date``.
        """
        return self._transport.server_time()

    @cached_property
    def _transport(self) -> Transport:
        return self._make_transport(self.settings)

    def _make_transport(self, settings: ConnectionSettings) -> Transport:
        own = self.settings
        return Transport(settings, gate_for(own.api_key, own.base_url, own.rate_limit, self._redis), self.log)

    @cached_property
    def _redis(self) -> Redis | None:
        conn_id = self.settings.rate_limit.redis_conn_id
        return redis_client(conn_id) if conn_id else None

    def test_connection(self) -> tuple[bool, str]:
        """
        Check the API key with ``GET /hello/``, and the organisation with ``GET /my-organisation/``.

        Both calls wait for the rate limit. They are retried for a few seconds only.

        :return: success, and a sentence with the result or with what to do.
        """
        return check_connection(self)

    def hello(self) -> str:
        """
        Check the API key: ``GET /hello/``.

        :return: the server's greeting, which contains the organisation's name.
        """
        return str(self._transport.call("GET", "/hello/").fields.get("response", ""))

    def my_organisation_id(self) -> str:
        """
        Get the id of the organisation that the API key belongs to: ``GET /my-organisation/``.

        :return: the integer id as text (assumption ``own-organisation``).
        """
        own_id = self._transport.call("GET", "/my-organisation/").fields.get("id")
        # It becomes part of paths, and messages quote paths.
        if not isinstance(own_id, (int, str)) or isinstance(own_id, bool) or not is_organisation_id(str(own_id)):
            raise LessonspaceServerError(
                f"GET /my-organisation/ returned no id: set organisation_id in connection "
                f"{self.lessonspace_conn_id!r}.",
                method="GET",
                path="/my-organisation/",
            )
        return str(own_id)

    @cached_property
    def organisation_id(self) -> str:
        """The organisation's id: from the connection, or else requested once with the key."""
        return self.settings.organisation_id or self.my_organisation_id()

    def list_sessions(self, /, **filters: FilterValue | None) -> Listing[Session]:
        """
        List the organisation's sessions. Pages are requested one by one, as you iterate.

        If entries are removed while the list is read, the hook reads the list again. The order is not documented: sort
        by ``start_time`` if it matters. Set ``include_single_user`` if sessions of one person matter: the API's default
        is not known.

        :param filters: the API's query parameters: search, page (to begin at), include_single_user, duration_min and
            duration_max (seconds), start_time_after/before, end_time_after/before and date_after/before (aware
            datetimes), user, space, launch_id, in_progress_only, tags, user_external_id, user_name. A filter that is
            None is not sent.
        :return: the sessions as the API sends them, each once. Sessions without a proper uuid are in the list's
            ``left_out``. If sessions may be missing, ``incomplete`` has the reason.
        :raises LessonspaceInputError: for a wrong filter, at once and before any request.
        """
        return self._organisation_list(SESSIONS, encode_filters(filters, SESSION_FILTERS))

    def list_space_sessions(self, space_id: str, **filters: FilterValue | None) -> Listing[Session]:
        """
        List the sessions of one space. Only this list has ``logs`` and ``connected_users``.

        :param space_id: the space's UUID, or its slug, which launch calls ``room_id``.
        :param filters: as for ``list_sessions``, without ``space``.
        :return: as for ``list_sessions``.
        :raises LessonspaceInputError: for a wrong argument, at once and before any request.
        """
        path = f"/spaces/{quote(arguments.as_space_id('space_id', space_id), safe='')}/sessions/"
        return self._list(SESSIONS, lambda: path, encode_filters(filters, SPACE_SESSION_FILTERS))

    def get_session(self, session_id: str) -> Session:
        """
        Get a session.

        :param session_id: its uuid.
        :return: the session as the API sends it.
        :raises LessonspaceNotFoundError: if there is no such session, or no person has joined it yet.
        """
        path = self._session_path(arguments.as_uuid("session_id", session_id))
        return cast("Session", self._transport.call("GET", path).fields)

    def update_session(
        self, session_id: str, *, name: str | None = None, recording_access_policy: list[str] | None = None
    ) -> SessionUpdate:
        """
        Rename a session, or change who may watch its recording, or both.

        The API requires a name: if only the policy is given, the hook reads the present name and sends it.

        :param session_id: its uuid.
        :param name: the new name; None keeps the present one.
        :param recording_access_policy: any of participant, admin, teacher, student, public; ``[]`` restores the
            organisation's policy; None keeps the present one.
        :return: name and recording_access_policy after the update.
        :raises LessonspaceInputError: for a wrong argument, before any request. Also if only the policy is given and
            the session has no name, after the session was read.
        """
        session_id = arguments.as_uuid("session_id", session_id)
        body = arguments.as_session_update(session_id, name, recording_access_policy)
        path = self._session_path(session_id)
        if "name" not in body:
            body["name"] = name_to_keep(session_id, self.get_session(session_id))
        answer = self._transport.call("PATCH", path, body=cast("dict[str, object]", body))
        return cast("SessionUpdate", answer.fields)

    def get_transcript(self, session_id: str, *, search: str | None = None, page: int | None = None) -> list[Segment]:
        """
        Get a session's transcript: the link from the API, then the file from the store, without the API key.

        :param session_id: its uuid.
        :param search: a query parameter of the API. Whether the API uses it is not known.
        :param page: likewise.
        :return: the segments in the order of the file, with times in seconds.
        :raises LessonspaceTranscriptNotReady: for a 404: not ready, never to come, or no such session.
        :raises LessonspaceReplyTooLargeError: if it is too large for a list in memory: use ``open_transcript``.
        """
        return in_memory(session_id, self.open_transcript(session_id, search=search, page=page))

    def open_transcript(
        self, session_id: str, *, search: str | None = None, page: int | None = None
    ) -> Collection[Segment]:
        """
        Get a session's transcript as a collection that parses one segment at a time, as you iterate.

        It uses as much memory as the file has bytes, however often you iterate. For the parameters, see
        ``get_transcript``.
        """
        session_id = arguments.as_uuid("session_id", session_id)
        query = encode_filters({"search": search, "page": page}, SEARCH_FILTERS)
        path = f"{self._session_path(session_id)}transcript/"
        return open_transcript(self._transport, path, session_id, query, self.log)

    def has_transcript(self, session_id: str) -> bool:
        """
        Check whether a session's transcript exists, without downloading it.

        :param session_id: the session's uuid.
        :return: False for 404: not ready, never to come, or no such session.
        """
        path = f"{self._session_path(arguments.as_uuid('session_id', session_id))}transcript/"
        try:
            self._transport.call("GET", path, largest=LARGEST_PAGE)
        except LessonspaceNotFoundError:
            return False
        return True

    def get_recording_url(self, session_id: str, *, search: str | None = None, page: int | None = None) -> str:
        """
        Get the link to a session's recording. Anyone with the link can watch for about 3 hours.

        :param session_id: its uuid.
        :param search: a query parameter of the API. Whether the API uses it is not known.
        :param page: likewise.
        :return: the link. Keep it out of XCom and logs.
        :raises LessonspaceNotFoundError: if there is no such session, or no recording of it.
        """
        path = f"/sessions/{arguments.as_uuid('session_id', session_id)}/playback/"
        query = encode_filters({"search": search, "page": page}, SEARCH_FILTERS)
        answer = self._transport.call("GET", path, query=query)
        url = answer.fields.get("recording_url")
        if not isinstance(url, str):
            raise unexpected(answer.call, "an object with recording_url")
        mask_secret(url)
        return url

    def list_spaces(self, /, **filters: FilterValue | None) -> Listing[Space]:
        """
        List the organisation's spaces. Pages are requested one by one, as you iterate.

        :param filters: the API's query parameters: session, date (deprecated), tag_key with tag_value, user,
            assigned_to, search, page (to begin at), date_after, date_before (aware datetimes).
        :return: as for ``list_sessions``; ids of spaces are UUIDs or slugs.
        :raises LessonspaceInputError: for a wrong filter, at once and before any request.
        """
        return self._organisation_list(SPACES, encode_filters(filters, SPACE_FILTERS))

    def list_users(self, /, **filters: FilterValue | None) -> Listing[User]:
        """
        List the organisation's users. Pages are requested one by one, as you iterate.

        :param filters: the API's query parameters: role (teacher, student, admin), space, session, search, page (to
            begin at).
        :return: as for ``list_sessions``; ``ids.user_id_of`` returns the id of a user.
        :raises LessonspaceInputError: for a wrong filter, at once and before any request.
        """
        return self._organisation_list(USERS, encode_filters(filters, USER_FILTERS))

    def remove_user(self, user_id: int) -> None:
        """
        Remove a user from the organisation, irreversibly.

        :param user_id: the integer of ``profiles[].user``, which launch calls ``user_id``.
        :raises LessonspaceNotFoundError: if there is no such user; also after a retry, if the first response was lost.
        """
        user_id = arguments.as_user_id("user_id", user_id)
        self._transport.call("DELETE", f"/organisations/{self.organisation_id}/users/{user_id}/")

    def launch_space(
        self,
        launch_id: str,
        *,
        extra_options: Mapping[str, object] | None = None,
        client_ip: str | None = None,
        **options: Unpack[LaunchOptions],
    ) -> Launch:
        """
        Create a space if it does not exist, and a join link: ``POST /spaces/launch/``.

        The same ``launch_id`` always leads to the same space, so a launch whose response was lost is retried.

        :param launch_id: your own id of the space, 1 to 64 characters.
        :param extra_options: further body fields, such as fields that Lessonspace added later. They are not checked.
        :param client_ip: an IP address, sent as ``X-Forwarded-For``. The space is created in its region (reference).
        :param options: every documented body field; see ``LaunchOptions``. Send ``transcribe`` on every launch: a
            launch without it turns transcription off for the space.
        :return: the API's response, and ``created``: True for a new space; False after a retry, also for a new one.
            Anyone with ``secret`` or ``client_url`` can enter the space: keep both out of XCom and logs.
        """
        body = launch_body(launch_id, cast("Mapping[str, object]", options), extra_options)
        client_ip = None if client_ip is None else arguments.as_ip_address("client_ip", client_ip)
        return self.send_launch(body, client_ip=client_ip)

    def send_launch(
        self, body: Mapping[str, object], *, client_ip: str | None = None, is_one_of_many: bool = False
    ) -> Launch:
        """
        Send a checked launch.

        :param body: see ``launch_body``.
        :param client_ip: an IP address, sent as ``X-Forwarded-For``.
        :param is_one_of_many: do not mask the link in logs: Airflow rebuilds one pattern for each masked text, which
            takes minutes for thousands of links.
        :return: see ``launch_space``.
        """
        headers = {"X-Forwarded-For": client_ip} if client_ip is not None else {}
        answer = self._transport.call("POST", "/spaces/launch/", body=body, headers=headers)
        for secret in () if is_one_of_many else (answer.fields.get("secret"), answer.fields.get("client_url")):
            if isinstance(secret, str):
                mask_secret(secret)
        return cast("Launch", {**answer.fields, "created": answer.status == 201})

    def _session_path(self, session_id: str) -> str:
        return f"/organisations/{self.organisation_id}/sessions/{session_id}/"

    def _organisation_list(self, kind: Kind, query: Query) -> Listing[Any]:
        # The organisation is asked for when the first page is, not before.
        return self._list(kind, lambda: f"/organisations/{self.organisation_id}/{kind.name}/", query)

    def _list(self, kind: Kind, path: Callable[[], str], query: Query) -> Listing[Any]:
        return Listing(kind, lambda: self._transport.pages(path()), query, log=self.log, memory=self._list_memory)
