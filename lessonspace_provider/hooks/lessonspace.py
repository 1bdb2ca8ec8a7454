# SPDX-License-Identifier: Apache-2.0
"""LessonspaceHook: the connection, and one method per operation of the API."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import BaseHook, Connection
from asgiref.sync import sync_to_async

from lessonspace_provider.api.arguments import (
    as_connection_id,
    as_ip_address,
    as_session_update,
    as_space_id,
    as_user_id,
    as_uuid,
)
from lessonspace_provider.api.bodies import LARGEST_OBJECT, LARGEST_PAGE
from lessonspace_provider.api.connection import ConnectionSettings, is_organisation_id
from lessonspace_provider.api.filters import (
    SEARCH_FILTERS,
    SESSION_FILTERS,
    SPACE_FILTERS,
    SPACE_SESSION_FILTERS,
    USER_FILTERS,
    encode_filters,
)
from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.api.json_list import JsonList
from lessonspace_provider.api.launch import launch_body
from lessonspace_provider.api.paging import SESSIONS, SPACES, USERS, Kind, Listing, ListMemory, Source
from lessonspace_provider.api.responses import Call, unexpected
from lessonspace_provider.api.transport import Query, Transport
from lessonspace_provider.api.whole_list import read_whole_list
from lessonspace_provider.exceptions import (
    LessonspaceError,
    LessonspaceLinkExpiredError,
    LessonspaceNotFoundError,
    LessonspaceServerError,
    LessonspaceTranscriptNotReady,
)
from lessonspace_provider.hooks import older_form
from lessonspace_provider.hooks.masking import mask_secret
from lessonspace_provider.rate_limit.gate import Gate, RateLimitSettings, gate_for, scope_notice
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

#: How often a transcript's link is asked for when the store says that it has expired.
LINKS_PER_TRANSCRIPT = 3

#: Seconds in which the connection's test begins retries: a person sits before it, and a proxy may not wait for long.
TEST_PATIENCE = 5.0


class LessonspaceHook(BaseHook):
    """
    Talks to the Lessonspace API v2 with one Airflow connection.

    All calls of all hooks with the same API key pass one gate, and are retried as long as the connection's
    ``rate_limit_max_wait`` allows. A session is always named by its ``uuid``.

    :param lessonspace_conn_id: a connection of type ``lessonspace``: password = API key, host = base URL.
    """

    conn_name_attr = "lessonspace_conn_id"
    default_conn_name = "lessonspace_default"
    conn_type = "lessonspace"
    hook_name = "Lessonspace"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, object]:
        """
        Give the connection form's standard fields to Airflow 3.0 and 3.1; newer ones don't ask.

        :return: ``hidden_fields``, ``relabeling`` and ``placeholders``.
        """
        return older_form.field_behaviour()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, object]:
        """
        Give the connection form's extra fields to Airflow 3.0 and 3.1; newer ones don't ask.

        :return: WTForms fields by name.
        """
        return older_form.widgets()

    def __init__(self, lessonspace_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.lessonspace_conn_id = as_connection_id("lessonspace_conn_id", lessonspace_conn_id)

    @cached_property
    def settings(self) -> ConnectionSettings:
        """
        The connection's settings, read once.

        :raises LessonspaceInputError: naming the field of the connection that can't be used.
        """
        return self._read(self.get_connection(self.lessonspace_conn_id))

    def _read(self, connection: Connection) -> ConnectionSettings:
        settings = ConnectionSettings.from_connection(connection)
        if settings.unknown_extras:
            self.log.warning(
                "Connection %r has extra fields that mean nothing here, perhaps misspelt: %s",
                settings.conn_id,
                ", ".join(settings.unknown_extras),
            )
        if settings.ignored_fields:
            self.log.warning(
                "Connection %r: %s ignored, the host alone is the base URL: %s. Write the whole URL into the host.",
                settings.conn_id,
                " and ".join(settings.ignored_fields),
                settings.base_url,
            )
        return settings

    async def load_settings(self) -> None:
        """
        Read the connection without holding up the event loop: for triggers, before they use the hook in a thread.

        :raises LessonspaceInputError: naming the field of the connection that can't be used.
        """
        # While an extra is read, Airflow 3.0 tells the triggerer what to mask in it: not even that may be done in the
        # event loop's own thread.
        self.settings = await sync_to_async(self._read)(await get_async_connection(self.lessonspace_conn_id))
        self._redis = await sync_to_async(self._redis_client)()

    def get_conn(self) -> Transport:
        """
        Give what makes the calls, for an operation this hook does not have yet.

        :return: the transport of this hook, always the same.
        """
        return self._transport

    def server_time(self) -> datetime | None:
        """
        Give the present by the API's clock, without a request: see ``Transport.server_time``.

        :return: aware, in UTC; None before the first reply of the API, and while no reply had a ``Date``.
        """
        return self._transport.server_time()

    @cached_property
    def _transport(self) -> Transport:
        return Transport(self.settings, self._gate, self.log)

    @property
    def _gate(self) -> Gate:
        return gate_for(self.settings.api_key, self.settings.base_url, self._rate_limit, self._redis)

    @property
    def _rate_limit(self) -> RateLimitSettings:
        settings = self.settings
        return RateLimitSettings(
            per_second=settings.rate_limit_per_second,
            max_wait=settings.rate_limit_max_wait,
            directory=settings.rate_limit_dir,
            redis_conn_id=self._redis_conn_id,
        )

    @property
    def _redis_conn_id(self) -> str | None:
        settings = self.settings
        return settings.rate_limit_redis_conn_id if settings.rate_limit_backend == "redis" else None

    @cached_property
    def _redis(self) -> Redis | None:
        return self._redis_client()

    def _redis_client(self) -> Redis | None:
        return None if self._redis_conn_id is None else redis_client(self._redis_conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """
        Check the key by ``GET /hello/``, and the organisation by ``GET /my-organisation/``.

        It soon gives up trying again (``TEST_PATIENCE``), and waits its turn at the gate like any call.

        :return: success, and a sentence that says what was found or what to do.
        """
        try:
            hurried = self._hurried()
            with closing(hurried.get_conn()):
                greeting = hurried.hello()
                own_id = hurried.my_organisation_id()
        except LessonspaceError as error:
            return False, self._about_this_connection(str(error))
        configured = self.settings.organisation_id
        if configured is not None and configured != own_id:
            return False, (
                f"The API key is good, but belongs to organisation {own_id} and not to {configured}: correct "
                f"organisation_id, or leave it blank."
            )
        words = clean_words(greeting, api_key=self.settings.api_key)
        notice = scope_notice(self._rate_limit)
        return True, f"Connected to organisation {own_id}. Lessonspace says: {words}{f' {notice}' if notice else ''}"

    def _hurried(self) -> LessonspaceHook:
        """Make the same hook for a person who waits for its answer."""
        settings = replace(self.settings, rate_limit_max_wait=min(self.settings.rate_limit_max_wait, TEST_PATIENCE))
        hook = copy(self)
        hook._transport = Transport(settings, self._gate, self.log)
        return hook

    def _about_this_connection(self, message: str) -> str:
        """Leave the connection's id out: the UI tests connections under an id that it makes up."""
        name = repr(self.lessonspace_conn_id)
        return message.replace(f"Connection {name}", "This connection").replace(f"connection {name}", "this connection")

    def hello(self) -> str:
        """
        Check the API key, cheaply: ``GET /hello/`` (facts, D).

        :return: the server's greeting, with the organisation's name in it.
        """
        body = self._get_object("/hello/")
        return str(body.get("response", ""))

    def my_organisation_id(self) -> str:
        """
        Ask which organisation the API key belongs to: ``GET /my-organisation/``.

        :return: its integer id as text; the name of the field, ``id``, is an assumption.
        """
        body = self._get_object("/my-organisation/")
        own_id = body.get("id")
        # It becomes part of paths, which stand in messages.
        if not isinstance(own_id, (int, str)) or isinstance(own_id, bool) or not is_organisation_id(str(own_id)):
            raise LessonspaceServerError(
                f"GET /my-organisation/ answered without an id: set organisation_id in connection "
                f"{self.lessonspace_conn_id!r}.",
                method="GET",
                path="/my-organisation/",
            )
        return str(own_id)

    @cached_property
    def organisation_id(self) -> str:
        """The connection's organisation id, else the one the key belongs to, asked for once."""
        return self.settings.organisation_id or self.my_organisation_id()

    def list_sessions(self, /, **filters: FilterValue | None) -> Listing[Session]:
        """
        List the organisation's sessions, all pages, one request per page as they are read.

        A list that loses entries while it is read is read again. Lists are said to be newest first: sort by
        ``start_time`` where it matters (facts, C). Whether sessions of one user are among them by default is unknown:
        give ``include_single_user`` where it matters.

        :param filters: the reference's query parameters: search, page (to begin at), include_single_user,
            duration_min and duration_max (seconds), start_time_after/before, end_time_after/before and
            date_after/before (aware datetimes), user, space, launch_id, in_progress_only, tags,
            user_external_id, user_name. None means "not given".
        :return: the sessions as the API sends them, each once; those without a uuid that is one are in its
            ``left_out``, and ``incomplete`` says why sessions may be missing.
        :raises LessonspaceInputError: at once, before any request.
        """
        return self._organisation_list(SESSIONS, encode_filters(filters, SESSION_FILTERS))

    def list_space_sessions(self, space_id: str, **filters: FilterValue | None) -> Listing[Session]:
        """
        List the sessions of one space, all pages; only this list has ``logs`` and ``connected_users`` (facts, D).

        :param space_id: the space's UUID, or its slug, which launch calls ``room_id``.
        :param filters: as for ``list_sessions``, without ``space``.
        :return: as for ``list_sessions``.
        :raises LessonspaceInputError: at once, before any request.
        """
        path = f"/spaces/{quote(as_space_id('space_id', space_id), safe='')}/sessions/"
        return self._list(SESSIONS, lambda: path, encode_filters(filters, SPACE_SESSION_FILTERS))

    def get_session(self, session_id: str) -> Session:
        """
        Get a session.

        :param session_id: its uuid.
        :return: the session as the API sends it.
        :raises LessonspaceNotFoundError: no such session, or launched and not yet joined by anybody.
        """
        return cast("Session", self._get_object(self._session_path(as_uuid("session_id", session_id))))

    def update_session(
        self, session_id: str, *, name: str | None = None, recording_access_policy: list[str] | None = None
    ) -> SessionUpdate:
        """
        Rename a session, or say who may watch its recording, or both.

        The API requires a name (facts, D): when only the policy is given, the present name is read and sent.

        :param session_id: its uuid.
        :param name: the new name; None leaves it.
        :param recording_access_policy: any of participant, admin, teacher, student, public; ``[]`` is the
            organisation's policy; None leaves it.
        :return: name and recording_access_policy as they are now.
        :raises LessonspaceInputError: before any request; or after the session was read, when it has no name.
        """
        session_id = as_uuid("session_id", session_id)
        body = as_session_update(session_id, name, recording_access_policy)
        path = self._session_path(session_id)
        if "name" not in body:
            body["name"] = name_to_keep(session_id, cast("Session", self._get_object(path)))
        answer = self._transport.call("PATCH", path, body=cast("dict[str, object]", body))
        return cast("SessionUpdate", self._checked_object(answer.body, "PATCH", path))

    def get_transcript(self, session_id: str, *, search: str | None = None, page: int | None = None) -> list[Segment]:
        """
        Get a session's transcript: its link from the API, then the file from the store, without the API key.

        :param session_id: its uuid.
        :param search: the reference's query parameter; whether the API heeds it is unknown.
        :param page: likewise.
        :return: the segments, in the file's order, times in seconds.
        :raises LessonspaceTranscriptNotReady: 404, not ready, never to come, or no such session.
        :raises LessonspaceReplyTooLargeError: it is too large for a list: use ``open_transcript``.
        """
        return in_memory(session_id, self.open_transcript(session_id, search=search, page=page))

    def open_transcript(
        self, session_id: str, *, search: str | None = None, page: int | None = None
    ) -> Collection[Segment]:
        """
        Get a session's transcript as ``get_transcript`` does, to be parsed segment by segment as it is read.

        It takes its file's size of memory, however often it is read through.
        """
        session_id = as_uuid("session_id", session_id)
        query = encode_filters({"search": search, "page": page}, SEARCH_FILTERS)
        for _ in range(LINKS_PER_TRANSCRIPT - 1):
            try:
                return self._fetch_transcript(session_id, query)
            except LessonspaceLinkExpiredError as error:
                self.log.info("%s", error)
        return self._fetch_transcript(session_id, query)

    def has_transcript(self, session_id: str) -> bool:
        """
        Ask whether a session's transcript is there, without fetching it.

        :param session_id: the session's uuid.
        :return: False for 404: not ready, never to come, or no such session.
        """
        try:
            path = f"{self._session_path(as_uuid('session_id', session_id))}transcript/"
            self._transport.call("GET", path, largest=LARGEST_PAGE)
        except LessonspaceNotFoundError:
            return False
        return True

    def get_recording_url(self, session_id: str, *, search: str | None = None, page: int | None = None) -> str:
        """
        Get the link to a session's recording: anyone who holds it can watch for about 3 hours (facts, D).

        :param session_id: its uuid.
        :param search: the reference's query parameter; whether the API heeds it is unknown.
        :param page: likewise.
        :return: the link. Keep it out of XCom and logs.
        :raises LessonspaceNotFoundError: no such session, or no recording of it.
        """
        path = f"/sessions/{as_uuid('session_id', session_id)}/playback/"
        query = encode_filters({"search": search, "page": page}, SEARCH_FILTERS)
        url = self._get_object(path, query).get("recording_url")
        if not isinstance(url, str):
            raise self._unexpected("GET", path, "an object with recording_url")
        mask_secret(url)
        return url

    def list_spaces(self, /, **filters: FilterValue | None) -> Listing[Space]:
        """
        List the organisation's spaces, all pages, one request per page as they are read.

        :param filters: the reference's query parameters: session, date (deprecated), tag_key with tag_value,
            user, assigned_to, search, page (to begin at), date_after, date_before (aware datetimes).
        :return: the spaces as the API sends them, as for ``list_sessions``; their ids are UUIDs or slugs.
        :raises LessonspaceInputError: at once, before any request.
        """
        return self._organisation_list(SPACES, encode_filters(filters, SPACE_FILTERS))

    def list_users(self, /, **filters: FilterValue | None) -> Listing[User]:
        """
        List the organisation's users, all pages, one request per page as they are read.

        :param filters: the reference's query parameters: role (teacher, student, admin), space, session,
            search, page (to begin at).
        :return: the users as the API sends them, as for ``list_sessions``; ``ids.user_id_of`` gives their ids.
        :raises LessonspaceInputError: at once, before any request.
        """
        return self._organisation_list(USERS, encode_filters(filters, USER_FILTERS))

    def remove_user(self, user_id: int) -> None:
        """
        Remove a user from the organisation. There is no way back.

        :param user_id: the integer of ``profiles[].user``, which launch calls ``user_id``.
        :raises LessonspaceNotFoundError: no such user; also after a first answer that was lost on its way.
        """
        user = as_user_id("user_id", user_id)
        self._transport.call("DELETE", f"/organisations/{self._organisation}/users/{user}/")

    def launch_space(
        self,
        launch_id: str,
        *,
        extra_options: Mapping[str, object] | None = None,
        client_ip: str | None = None,
        **options: Unpack[LaunchOptions],
    ) -> Launch:
        """
        Make a space, or another link to the space with this id: ``POST /spaces/launch/``.

        Launching again is safe: the same id gives the same space (facts, D), so a lost answer is asked for again.

        :param launch_id: your own id of the space, 1 to 64 characters.
        :param extra_options: body fields that the vendor added since.
        :param client_ip: address for ``X-Forwarded-For``, which the region follows (reference).
        :param options: every documented body field; see ``LaunchOptions``. ``transcribe`` must be sent on
            every launch: one that leaves it out turns transcription off for the space (facts, D).
        :return: the API's answer, with ``created``: True for a new space, but False when the answer was lost and
            the launch made again. ``secret`` and ``client_url`` open the classroom to anyone who holds them: keep them
            out of XCom and logs.
        """
        body = launch_body(launch_id, cast("Mapping[str, object]", options), extra_options)
        launch = self.send_launch(body, client_ip=None if client_ip is None else as_ip_address("client_ip", client_ip))
        for secret in (launch.get("secret"), launch.get("client_url")):
            if isinstance(secret, str):
                mask_secret(secret)
        return launch

    def send_launch(self, body: Mapping[str, object], *, client_ip: str | None = None) -> Launch:
        """
        Send a launch that was checked, one of many: what it returns is not masked in logs.

        Airflow joins all masks into one pattern anew for each, which takes minutes for thousands of links.

        :param body: see ``launch_body``.
        :param client_ip: address for ``X-Forwarded-For``.
        :return: see ``launch_space``.
        """
        headers = {"X-Forwarded-For": client_ip} if client_ip is not None else {}
        answer = self._transport.call("POST", "/spaces/launch/", body=body, headers=headers)
        launch = self._checked_object(answer.body, "POST", "/spaces/launch/")
        return cast("Launch", {**launch, "created": answer.status == 201})

    @property
    def _organisation(self) -> str:
        return quote(self.organisation_id, safe="")

    def _session_path(self, session_id: str) -> str:
        """Give the path of a session whose uuid was checked."""
        return f"/organisations/{self._organisation}/sessions/{session_id}/"

    def _get_object(self, path: str, query: Query = (), *, largest: int = LARGEST_OBJECT) -> dict[str, object]:
        answer = self._transport.call("GET", path, query=query, largest=largest)
        return self._checked_object(answer.body, "GET", path)

    def _checked_object(self, body: object, method: str, path: str) -> dict[str, object]:
        if not isinstance(body, dict):
            raise self._unexpected(method, path, "an object")
        return body

    def _unexpected(self, method: str, path: str, wanted: str) -> LessonspaceServerError:
        return unexpected(Call(method, path, self.lessonspace_conn_id), wanted)

    @cached_property
    def _list_memory(self) -> ListMemory:
        return ListMemory()

    def _organisation_list(self, kind: Kind, query: Query) -> Listing[Any]:
        # The organisation is asked for when the first page is, not before.
        return self._list(kind, lambda: f"/organisations/{self._organisation}/{kind.name}/", query)

    def _list(self, kind: Kind, path: Callable[[], str], query: Query) -> Listing[Any]:
        return Listing(kind, lambda: self._source(path()), query, log=self.log, memory=self._list_memory)

    def _source(self, path: str) -> Source:
        return Source(
            Call("GET", path, self.lessonspace_conn_id),
            get=lambda query: self._transport.call("GET", path, query=query, largest=LARGEST_PAGE).body,
            query_of_next_page=lambda link: self._transport.query_of_next_page(link, path),
        )

    def _fetch_transcript(self, session_id: str, query: Query) -> Collection[Segment]:
        path = f"{self._session_path(session_id)}transcript/"
        try:
            body = self._transport.call("GET", path, query=query, largest=LARGEST_PAGE).body
        except LessonspaceNotFoundError as error:
            raise self._no_transcript(session_id, error) from None
        if isinstance(body, dict) and isinstance(body.get("transcriptionUrl"), str):
            # Not masked: the link never leaves this hook, and Airflow joins all masks into one pattern, which takes
            # minutes to build for a night of a thousand links.
            what = f"transcript file of session {session_id}"
            segments = self._transport.download(body["transcriptionUrl"], what)
            return self._checked_segments(segments, what)
        if isinstance(body, dict) and "results" in body:
            # Never seen, but hinted at by the reference's search and page parameters.
            return self._checked_segments(read_whole_list(self._source(path), query, first=body), path)
        return self._checked_segments(body, path)

    def _no_transcript(self, session_id: str, error: LessonspaceError) -> LessonspaceTranscriptNotReady:
        return LessonspaceTranscriptNotReady(
            f"Session {session_id} has no transcript (404): it is not ready yet, will never come (too short, one "
            f"person only, not recorded or not launched with transcribe), or there is no such session. Look at "
            f"the session's detail, and try again some hours after its end.",
            status=error.status,
            method=error.method,
            path=error.path,
            retry_after=error.retry_after,
        )

    def _checked_segments(self, body: object, what: str) -> Collection[Segment]:
        if not isinstance(body, (list, JsonList)) or not all(isinstance(segment, dict) for segment in body):
            raise self._unexpected("GET", what, "a list of segments")
        segments = cast("Collection[Segment]", body)
        if segments and not any("text" in segment or "start_time" in segment for segment in segments):
            raise self._unexpected("GET", what, "segments with text and start_time")
        return segments
