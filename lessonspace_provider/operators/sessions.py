# SPDX-License-Identifier: Apache-2.0
"""Operators for sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lessonspace_provider.operators.base import LessonspaceOperator
from lessonspace_provider.parameters import refuse
from lessonspace_provider.sessions import summary, without_keys

if TYPE_CHECKING:
    from airflow.sdk import Context

    from lessonspace_provider.api_types import FilterValue, Session
    from lessonspace_provider.sessions import SessionSummary


class LessonspaceListSessionsOperator(LessonspaceOperator):
    """
    List sessions of the organisation, or of one space, for ``.expand()``.

    :param space_id: list this space's sessions; UUID, or slug (launch's ``room_id``). None: the organisation's.
    :param filters: the API's own names, as for ``LessonspaceHook.list_sessions``; times as aware datetimes or ISO
        8601 text with an offset.
    :param fields: None for ids, name, times and counts (no people, see ``SessionSummary``), a list of the API's
        field names, or ``"all"`` for whole sessions, personal data included. What opens a recording or a space
        (``playback_url``, ``playback_password``, ``space.url``) is left out in any case.
    :return: a list with an entry per session.
    :raises LessonspaceInputError: for an unknown filter or a value of the wrong kind, before any request.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "space_id", "filters", "fields")

    def __init__(
        self,
        *,
        space_id: str | None = None,
        filters: Mapping[str, FilterValue | None] | None = None,
        fields: Sequence[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.space_id = space_id
        self.filters = filters
        self.fields = fields

    def execute(self, context: Context) -> list[SessionSummary] | list[dict[str, object]]:
        """Read all pages."""
        fields = _checked_fields(self.fields)
        filters = dict(self.filters or {})
        sessions = (
            self.hook.list_sessions(**filters)
            if self.space_id is None
            else self.hook.list_space_sessions(self.space_id, **filters)
        )
        if fields is None:
            return [summary(session) for session in sessions]
        return [_pick(session, fields) for session in sessions]


def _checked_fields(fields: Sequence[str] | str | None) -> list[str] | str | None:
    if fields is None or fields == "all":
        return fields
    if isinstance(fields, str) or not all(isinstance(field, str) for field in fields):
        raise refuse("fields", fields, "a list of the API's field names, 'all', or None for the usual ones")
    return list(fields)


def _pick(session: Session, fields: list[str] | str) -> dict[str, object]:
    return {name: value for name, value in without_keys(session).items() if fields == "all" or name in fields}
