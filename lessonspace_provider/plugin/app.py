# SPDX-License-Identifier: Apache-2.0
"""
The page's application: it only reads, and only for users whom Airflow lets see its plugins.

Airflow mounts it without any check of its own, so each route has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from functools import cache as once
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from lessonspace_provider.archive.health.page import CONTENT_SECURITY_POLICY, Link, health_page, message_page
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.links import health_query
from lessonspace_provider.plugin.archives import Archive, HealthCache, chosen, configured_archives

HEADERS = {
    "Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_Place = Annotated[str | None, Query(alias="archive", max_length=2000)]
_Night = Annotated[date | None, Query()]


def create_app(
    archives: Callable[[], list[Archive]] = configured_archives, cache: HealthCache | None = None
) -> FastAPI:
    """
    Make an application.

    :param archives: gives those that are shown.
    :param cache: None: one of its own.
    """
    healths = cache or HealthCache()
    app = FastAPI(
        title="Lessonspace",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
    )

    @app.get("/")
    async def show(request: Request, place: _Place = None, night: _Night = None) -> Response:
        """Show an archive, or what is wrong with it."""
        listed = archives()
        archive = chosen(listed, place)
        links = _links(request, listed, archive)
        if archive is None:
            return _html(_nothing_to_show(listed, place, links), 404 if place else 200)
        try:
            health = await healths.get(archive.place)
        except LessonspaceError as error:
            return _html(message_page("The health can't be shown", str(error), links, archive.place), 503)
        text = health_page(
            health,
            place=archive.place,
            now=datetime.now(timezone.utc),
            night=night.isoformat() if night else None,
            links=links,
            night_address=lambda name: health_query(archive.place, name),
        )
        return _html(text)

    @app.get("/health.json")
    async def data(place: _Place = None) -> Response:
        """Give an archive's health as its file has it."""
        archive = chosen(archives(), place)
        if archive is None:
            return JSONResponse({"detail": "No such archive in [lessonspace] archives"}, 404, HEADERS)
        try:
            health = await healths.get(archive.place)
        except LessonspaceError as error:
            return JSONResponse({"detail": str(error)}, 503, HEADERS)
        return Response(health.to_json(), media_type="application/json", headers=HEADERS)

    return app


#: Makes the application of this process.
application = once(create_app)


def _html(text: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(text, status, HEADERS)


def _links(request: Request, listed: Sequence[Archive], shown: Archive | None) -> list[Link]:
    # In Airflow's frame there is a way back already.
    is_framed = request.headers.get("Sec-Fetch-Dest") == "iframe"
    back = [] if is_framed else [Link("Back to Airflow", "../")]
    places = [archive.place for archive in listed if archive.place]
    if len(places) == 1 and shown is not None:
        return back
    return back + [Link(place, health_query(place), shown is not None and place == shown.place) for place in places]


def _nothing_to_show(listed: Sequence[Archive], place: str | None, links: Sequence[Link]) -> str:
    example = "archives = s3://aws_default@my-bucket/transcripts"
    if place is not None:
        text = f"{place} is not among the archives of Airflow's configuration. Add it to archives in [lessonspace]."
        return message_page("This archive is not listed", text, links)
    if problems := [archive.problem for archive in listed if archive.problem]:
        return message_page("No archive can be shown", " ".join(problems), links)
    text = f"List the folders of your archives in Airflow's configuration, such as: [lessonspace] {example}"
    return message_page("No archive is listed yet", text, links)
