# SPDX-License-Identifier: Apache-2.0
"""Operators for users: list them, and remove those who left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from lessonspace_provider.api.arguments import as_flag, as_user_id
from lessonspace_provider.api.ids import is_slug, user_id_of
from lessonspace_provider.api.types import User
from lessonspace_provider.exceptions import LessonspaceNotFoundError
from lessonspace_provider.operators.base import LessonspaceListOperator, LessonspaceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from lessonspace_provider.api.types import FilterValue


class UserSummary(TypedDict):
    """A user without name and e-mail; ``role`` is None if the API returns something else than a word."""

    user_id: int | None
    role: str | None


class LessonspaceListUsersOperator(LessonspaceListOperator[User]):
    """
    List the organisation's users, for mapped tasks or into a file.

    Guide: docs/how-to/lists.md#users

    :param filters: the API's own names, as for ``LessonspaceHook.list_users``: role, space, session, search, page.
    :param fields: None for id and role (see ``UserSummary``); a list of the API's field names; or ``"all"`` for whole
        users with personal data.
    :param destination: a ``.jsonl`` file as ``ObjectStoragePath`` takes it, with one entry per line, written
        atomically. None: the list is the task's result, and must fit into XCom.
    :param chunk_size: return a list of lists with this many entries each, to map tasks over. Airflow maps over 1,024
        at most (``[core] max_map_length``). None: one list of entries.
    :return: a list with one entry per user; with ``destination``, see ``WrittenList``.
    :raises LessonspaceInputError: for a wrong parameter, before any request; and for a list that is too large for XCom.
    """

    def _list(self, filters: dict[str, FilterValue | None]) -> Iterator[User]:
        return self.hook.list_users(**filters)

    def _short(self, entry: User) -> UserSummary:
        role = entry.get("role")
        return UserSummary(user_id=user_id_of(entry), role=role if is_slug(role) else None)


class RemovedUser(TypedDict):
    """The result of a removal."""

    user_id: int
    status: Literal["removed", "already_gone", "dry_run"]


class LessonspaceRemoveUserOperator(LessonspaceOperator):
    """
    Remove a user from the organisation, irreversibly.

    A user who is removed already is a success, so a retry after a lost response does no harm. The API then returns 404
    (assumption ``removed-user``). A wrong connection has the same result, so the operator then requests the list of
    users once, and fails if there is none.

    Guide: docs/how-to/delete-personal-data.md#remove-a-user

    :param user_id: the integer of ``profiles[].user``, which launch calls ``user_id``; or its digits, as a template
        renders them. A user can't be removed by name or e-mail.
    :param dry_run: log what would be done, and send nothing.
    :return: see ``RemovedUser``.
    :raises LessonspaceInputError: for anything but a positive integer, before any request.
    :raises LessonspaceNotFoundError: if the organisation is not found.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "user_id")

    def __init__(self, *, user_id: int | str, dry_run: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user_id = user_id
        self.only_plan = dry_run  # dry_run is a method of Airflow's operators

    def execute(self, context: Context) -> RemovedUser:
        """Remove the user."""
        user_id = as_user_id("user_id", self.user_id)
        if as_flag("dry_run", self.only_plan):
            self.log.info("User %d would be removed. Nothing was sent.", user_id)
            return RemovedUser(user_id=user_id, status="dry_run")
        try:
            self.hook.remove_user(user_id)
        except LessonspaceNotFoundError:
            next(iter(self.hook.list_users()), None)
            self.log.info("User %d was already removed.", user_id)
            return RemovedUser(user_id=user_id, status="already_gone")
        self.log.info("User %d was removed.", user_id)
        return RemovedUser(user_id=user_id, status="removed")
