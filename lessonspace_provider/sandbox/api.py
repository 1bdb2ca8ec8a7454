# SPDX-License-Identifier: Apache-2.0
"""The API's ten operations, ``hello`` and ``my-organisation``.

The order of the checks is Django REST Framework's: the URL, the key, the organisation, the rate limit, the
method, and only then what was asked.
"""

from __future__ import annotations

import hmac
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from lessonspace_provider.sandbox import serializers
from lessonspace_provider.sandbox.calls import Call
from lessonspace_provider.sandbox.entities import Session, User
from lessonspace_provider.sandbox.filters import Item, Query, page_of, select_sessions, select_spaces, select_users
from lessonspace_provider.sandbox.launch import launch
from lessonspace_provider.sandbox.messages import RecordedLaunch
from lessonspace_provider.sandbox.responses import (
    ApiError,
    html_answer,
    invalid,
    json_answer,
    json_bytes,
    not_found,
)
from lessonspace_provider.sandbox.serializers import Json
from lessonspace_provider.sandbox.state import State
from lessonspace_provider.sandbox.world import World

POLICIES = ("participant", "admin", "teacher", "student", "public")
"""What a recording access policy may hold."""

Handler = Callable[..., Awaitable[Response]]


class Api:
    """The ASGI application that answers under ``/v2/``.

    :param state: the sandbox.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        organisation = "/v2/organisations/(?P<organisation>[^/]+)"
        session = "sessions/(?P<session>[^/]+)"
        routes: dict[str, dict[str, Handler]] = {
            "/v2/hello/": {"GET": self.hello},
            "/v2/my-organisation/": {"GET": self.my_organisation},
            f"{organisation}/": {"GET": self.get_organisation},
            f"{organisation}/sessions/": {"GET": self.list_sessions},
            f"{organisation}/{session}/": {"GET": self.get_session, "PATCH": self.update_session},
            f"{organisation}/{session}/transcript/": {"GET": self.get_transcript},
            f"{organisation}/{session}/playback/": {"GET": self.get_recording},
            f"{organisation}/spaces/": {"GET": self.list_spaces},
            f"{organisation}/spaces/(?P<space>[^/]+)/": {"GET": self.get_space},
            f"{organisation}/users/": {"GET": self.list_users},
            f"{organisation}/users/(?P<user>[^/]+)/": {"GET": self.get_user, "DELETE": self.remove_user},
            f"/v2/{session}/playback/": {"GET": self.get_recording},
            "/v2/spaces/launch/": {"POST": self.launch_space},
            "/v2/spaces/(?P<space>[^/]+)/sessions/": {"GET": self.list_space_sessions},
        }
        self._routes = [(re.compile(path), handlers) for path, handlers in routes.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ApiError as error:
            response = json_answer(error.body, error.status, error.headers)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        path: str = request.scope["path"]
        found = self._match(path)
        if found is None:
            return self._without_slash(request, method, path)
        handlers, parameters = found
        self._authenticate(request)
        organisation = parameters.pop("organisation", None)
        if organisation not in (None, str(self._state.world.organisation_id)):
            raise ApiError(403, {"detail": "You do not have permission to perform this action."})
        call: Call = request.scope["sandbox.call"]
        if path != "/v2/hello/":
            self._throttle(call)
        if method not in handlers:
            raise ApiError(405, {"detail": f'Method "{method}" not allowed.'}, {"Allow": ", ".join(handlers)})
        return await handlers[method](request, **parameters)

    def _match(self, path: str) -> tuple[dict[str, Handler], dict[str, str]] | None:
        for pattern, handlers in self._routes:
            if match := pattern.fullmatch(path):
                return handlers, match.groupdict()
        return None

    def _without_slash(self, request: Request, method: str, path: str) -> Response:
        """Redirect a GET that lacks the slash; other methods find nothing (inferred: not safe)."""
        if method == "GET" and self._match(path + "/"):
            query = request.scope["query_string"].decode("latin-1")
            location = self._url(request, path + "/") + (f"?{query}" if query else "")
            return RedirectResponse(location, 301)
        return html_answer(404, "Not Found")

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Organisation {self._state.api_key}".encode()):
            detail = "Invalid API key." if given else "Authentication credentials were not provided."
            raise ApiError(401, {"detail": detail}, {"WWW-Authenticate": "Organisation"})
        request.scope["sandbox.call"].authorised = True

    def _throttle(self, call: Call) -> None:
        if not self._state.rate.accept(call.arrived):
            headers = {"Retry-After": "1"} if self._state.settings.retry_after else None
            raise ApiError(429, {"detail": "Request was throttled."}, headers)

    def _url(self, request: Request, path: str) -> str:
        """Return the absolute URL of a path on the host the caller used."""
        host = request.headers.get("host")
        return (f"http://{host}" if host else self._state.root_url) + quote(path)

    def _page(self, request: Request, items: list[Item], query: Query, render: Callable[[Item], object]) -> Response:
        page, head = self._cut(request, items, query)
        return json_answer({**head, "results": [render(item) for item in page]})

    def _cut(self, request: Request, items: list[Item], query: Query) -> tuple[list[Item], Json]:
        """Cut out the page that is asked for; return what precedes its results, too."""
        url = self._url(request, request.scope["path"])
        page, following, previous = page_of(items, query, self._state.settings.page_size, url)
        return page, {"count": len(items), "next": following, "previous": previous}

    # Organisation

    async def hello(self, _request: Request) -> Response:
        """``GET /hello/``"""
        name = self._state.world.organisation_name
        return json_answer({"response": f"The sun is shining and so are you, {name}"})

    async def my_organisation(self, _request: Request) -> Response:
        """``GET /my-organisation/``: only that it has the id is known."""
        world = self._state.world
        return json_answer({"id": world.organisation_id, "name": world.organisation_name})

    async def get_organisation(self, _request: Request) -> Response:
        """``GET /organisations/{organisation}/``: seen in clients; the names of its fields are assumed."""
        world = self._state.world
        users = sum(not user.removed for user in world.users.values())
        usage = {"users": users, "spaces": len(world.spaces), "sessions": len(world.sessions)}
        answer = {"id": world.organisation_id, "name": world.organisation_name, "plan": "sandbox", "usage": usage}
        return json_answer(answer)

    # Sessions

    async def list_sessions(self, request: Request) -> Response:
        """``GET /organisations/{organisation}/sessions/``, newest first."""
        self._state.advance()
        query = Query(request.scope["query_string"])
        everything = self._state.world.oldest_first
        return self._session_page(request, everything, query, "detail", serializers.session_detail)

    async def list_space_sessions(self, request: Request, space: str) -> Response:
        """``GET /spaces/{space}/sessions/``: the space's id or room_id, not its launch id."""
        self._state.advance()
        found = self._state.world.find_space(space)
        if found is None:
            raise not_found()
        query = Query(request.scope["query_string"])
        query.pairs = [pair for pair in query.pairs if pair[0] != "space"]
        return self._session_page(request, found.sessions, query, "space", serializers.space_session)

    async def get_session(self, _request: Request, session: str) -> Response:
        """``GET /organisations/{organisation}/sessions/{session}/``"""
        found = self._session(session)
        return json_bytes(self._rendered(found, "detail", serializers.session_detail))

    async def update_session(self, request: Request, session: str) -> Response:
        """``PATCH /organisations/{organisation}/sessions/{session}/``"""
        found = self._session(session)
        body = await _json_object(request)
        name, policy = _check_update(body)
        found.name = name
        if policy is not None:
            found.recording_access_policy = policy
        self._state.world.version += 1
        return json_answer({"name": found.name, "recording_access_policy": found.recording_access_policy})

    async def get_transcript(self, request: Request, session: str) -> Response:
        """``GET /organisations/{organisation}/sessions/{session}/transcript/``"""
        now = self._state.advance()
        found = self._session(session)
        if self._state.world.transcript_state(found, now) != "ready":
            raise not_found()
        if self._state.settings.transcript_list_form:
            return self._transcript_page(request, found)
        return json_answer({"transcriptionUrl": self._signed(request, f"/transcripts/{found.uuid}.json")})

    async def get_recording(self, request: Request, session: str) -> Response:
        """``GET /sessions/{session}/playback/``, and the same below the organisation."""
        found = self._session(session)
        if found.end is None or not found.recorded:
            raise not_found()
        return json_answer({"recording_url": self._signed(request, f"/recordings/{found.uuid}")})

    def _session(self, reference: str) -> Session:
        """Find a session by its uuid; the integer id is none."""
        self._state.advance()
        try:
            found = self._state.world.sessions.get(str(uuid.UUID(reference)))
        except ValueError:
            found = None
        if found is None:
            raise not_found()
        return found

    def _signed(self, request: Request, path: str) -> str:
        host = request.url.hostname or self._state.settings.host
        host = f"[{host}]" if ":" in host else host
        link = self._state.signer.sign(path, self._state.clock.now())
        return f"http://{host}:{self._state.store_port}{link}"

    def _transcript_page(self, request: Request, session: Session) -> Response:
        query = Query(request.scope["query_string"])
        segments = self._state.world.transcript_segments(session)
        if search := query.text("search"):
            segments = [segment for segment in segments if search.casefold() in segment["text"].casefold()]
        return self._page(request, segments, query, lambda segment: segment)

    def _session_page(
        self,
        request: Request,
        oldest_first: list[Session],
        query: Query,
        form: str,
        render: Callable[[World, Session, str], Json],
    ) -> Response:
        if not self._state.settings.summaries_in_lists:
            form, render = f"{form} without summary", serializers.without_summary(render)
        page, head = self._cut(request, self._select(request, oldest_first, query), query)
        results = b", ".join(self._rendered(session, form, render) for session in page)
        if head["next"] is not None:
            self._state.delete_after_page(int(query.text("page") or 1))
        return json_bytes(b'%s, "results": [%s]}' % (json.dumps(head)[:-1].encode(), results))

    def _select(self, request: Request, oldest_first: list[Session], query: Query) -> list[Session]:
        key = (request.scope["path"], *(f"{name}={value}" for name, value in query.pairs if name != "page"))
        selected = self._state.selected.get(key)
        if selected is None:
            selected = select_sessions(reversed(oldest_first), query, self._state.settings)
            self._state.selected[key] = selected
        return selected

    def _rendered(self, session: Session, form: str, render: Callable[[World, Session, str], Json]) -> bytes:
        cache = self._state.rendered
        rendered = cache.get((form, session.uuid))
        if rendered is None:
            item = render(self._state.world, session, self._state.root_url)
            rendered = _json_text(item, session.raw_fields).encode()
            cache[form, session.uuid] = rendered
        return rendered

    # Spaces

    async def list_spaces(self, request: Request) -> Response:
        """``GET /organisations/{organisation}/spaces/``, newest first (assumed)."""
        self._state.advance()
        state, query = self._state, Query(request.scope["query_string"])
        newest_first = reversed(state.world.spaces.values())
        spaces = select_spaces(newest_first, query, state.settings)
        return self._page(
            request, spaces, query, lambda space: serializers.space_item(state.world, space, state.root_url)
        )

    async def get_space(self, _request: Request, space: str) -> Response:
        """``GET /organisations/{organisation}/spaces/{space}/``: seen in clients, not in the reference."""
        found = self._state.world.find_space(space)
        if found is None:
            raise not_found()
        return json_answer(serializers.space_item(self._state.world, found, self._state.root_url))

    async def launch_space(self, request: Request) -> Response:
        """``POST /spaces/launch/``"""
        body = await _json_object(request)
        now = self._state.advance()
        launched = launch(
            self._state.world,
            body,
            now,
            self._state.root_url,
            transcription_addon=self._state.settings.transcription_addon,
        )
        self._state.launches.append(
            RecordedLaunch(
                body=body,
                headers={k: v for k, v in request.headers.items() if k != "authorization"},
                created=launched.created,
                space_id=launched.space.id,
                room_id=launched.space.slug,
                session_id=launched.session_id,
                user_id=launched.user_id,
                webhooks=dict(launched.space.webhooks),
            )
        )
        return json_answer(launched.answer, 201 if launched.created else 200)

    # Users

    async def list_users(self, request: Request) -> Response:
        """``GET /organisations/{organisation}/users/``, by id (assumed)."""
        state, query = self._state, Query(request.scope["query_string"])
        present_users = (user for user in state.world.users.values() if not user.removed)
        users = select_users(present_users, state.world.oldest_first, query)
        return self._page(request, users, query, self._user_item)

    async def get_user(self, _request: Request, user: str) -> Response:
        """``GET /organisations/{organisation}/users/{user}/``: seen in clients, not in the reference."""
        found = self._state.world.users.get(int(user)) if user.isascii() and user.isdigit() else None
        if found is None or found.removed:
            raise not_found()
        return json_answer(self._user_item(found))

    def _user_item(self, user: User) -> Json:
        render = serializers.user_item if self._state.settings.nested_users else serializers.flat_user_item
        return render(user, self._state.root_url)

    async def remove_user(self, _request: Request, user: str) -> Response:
        """``DELETE /organisations/{organisation}/users/{user}/``"""
        if not (user.isascii() and user.isdigit() and self._state.world.remove_user(int(user))):
            raise not_found()
        return Response(status_code=204)


def _json_text(item: Json, raw_fields: dict[str, str]) -> str:
    if not raw_fields:
        return json.dumps(item, ensure_ascii=False)
    texts = {name: json.dumps(value, ensure_ascii=False) for name, value in item.items()} | raw_fields
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items()) + "}"


async def _json_object(request: Request) -> Json:
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip() != "application/json":
        raise ApiError(415, {"detail": f'Unsupported media type "{content_type}" in request.'})
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise ApiError(400, {"detail": "JSON parse error"}) from None
    if not isinstance(body, dict):
        raise invalid("non_field_errors", "Invalid data. Expected a dictionary.")
    return body


def _check_update(body: Json) -> tuple[str, list[str] | None]:
    if "name" not in body:
        raise invalid("name", "This field is required.")
    name, policy = body["name"], body.get("recording_access_policy")
    if name is None:
        raise invalid("name", "This field may not be null.")
    if isinstance(name, bool) or not isinstance(name, (str, int, float)):
        raise invalid("name", "Not a valid string.")
    if not str(name).strip():
        raise invalid("name", "This field may not be blank.")
    if "recording_access_policy" not in body:
        return str(name), None
    if not isinstance(policy, list):
        raise invalid("recording_access_policy", "Expected a list of items.")
    for value in policy:
        if value not in POLICIES:
            raise invalid("recording_access_policy", f'"{value}" is not a valid choice.')
    return str(name), policy
