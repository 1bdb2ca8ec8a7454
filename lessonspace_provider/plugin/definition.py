# SPDX-License-Identifier: Apache-2.0
"""
What Airflow loads of the page: its place in the navigation, and the application that serves it.

Airflow imports this module in more of its processes than the API server, so it imports nothing itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from lessonspace_provider.links import PAGE

_Message = MutableMapping[str, Any]


async def serve(
    scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
) -> None:
    """Serve a request; the application is made for the first one."""
    from lessonspace_provider.plugin.app import application

    await application()(scope, receive, send)


class LessonspacePlugin(AirflowPlugin):
    """Adds the page to Airflow 3.1 and newer; older ones have no place for it."""

    name = "lessonspace"
    if hasattr(AirflowPlugin, "external_views"):
        fastapi_apps = [{"name": "Lessonspace", "app": serve, "url_prefix": f"/{PAGE}"}]
        external_views = [
            {
                "name": "Lessonspace",
                # Relative to Airflow's base URL, which may have a path.
                "href": f"{PAGE}/",
                "url_route": PAGE,
                "destination": "nav",
                "nav_top_level": True,
            }
        ]
