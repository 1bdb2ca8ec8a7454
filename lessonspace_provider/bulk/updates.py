# SPDX-License-Identifier: Apache-2.0
"""Plans the updates of many sessions, and sends each that changes something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api.arguments import as_session_update, as_uuid, refuse_hidden
from lessonspace_provider.api.filters import refuse_unknown
from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.bulk.items import Item, Plan, Refusal, Row, label_of, reason_of
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceServerError
from lessonspace_provider.sessions import fields_that_change, is_policy, name_to_keep

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session, SessionUpdate
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

#: What an update may change.
FIELDS = ("name", "recording_access_policy")

#: The fields of an update in the input; ``current`` has the session's own ``FIELDS``, where they are known.
PARAMETERS = ("session_id", *FIELDS, "current")

#: What to write in place of the API's own names of a session's id.
_HINTS = dict.fromkeys(("id", "uuid"), "Did you mean 'session_id'?")

#: The account's detail of a session to which nothing was sent.
UNCHANGED = "it had these values already, nothing was sent"


@dataclass(frozen=True)
class Update:
    """
    What is to become of a session.

    :param session_id: its uuid.
    :param wanted: the new values.
    :param current: the present ones that the caller knows.
    """

    session_id: str
    wanted: SessionUpdate
    current: Session


def plan_updates(
    rows: Iterable[Row], key_of: Callable[..., str], *, defaults: Mapping[str, object]
) -> Plan[Update | None]:
    """
    Check all updates.

    :param rows: the input.
    :param key_of: makes the key of an item from texts that identify it.
    :param defaults: values of all updates that do not have their own.
    """
    plan: Plan[Update | None] = Plan(items=[], refusals=[], warnings=[])
    places: dict[str, str] = {}
    for row in rows:
        given = row.with_defaults(defaults)
        item = _update_item(row, given, key_of("refused", row.place))
        try:
            update = _checked_update(row, given)
            if update.session_id in places:
                raise LessonspaceInputError(f"this session has an update already, see {places[update.session_id]}")
        except LessonspaceInputError as error:
            plan.refusals.append(Refusal(item, reason_of(error, item.private)))
            continue
        places[update.session_id] = row.place
        key = key_of(update.session_id, *(repr(update.wanted.get(name)) for name in FIELDS))
        plan.items.append(replace(item, key=key, label=update.session_id, task=update))
    return plan


def send_update(hook: LessonspaceHook, item: Item[Update | None]) -> str | None:
    """
    Update a session: one call, after one that reads its name where no name is known and none is given.

    :return: the remark for the account.
    :raises LessonspaceError: when it failed, or the API took the update and kept another policy.
    """
    update = cast("Update", item.task)
    current = update.current
    if "name" not in update.wanted and not current.get("name"):
        current = hook.get_session(update.session_id)
    changes = fields_that_change(current, update.wanted)
    if not changes:
        return UNCHANGED
    send_changes(hook, update.session_id, update.wanted, current)
    return f"updated {' and '.join(changes)}"


def send_changes(hook: LessonspaceHook, session_id: str, wanted: SessionUpdate, current: Session) -> SessionUpdate:
    """
    Send an update, with the session's present name where none is wanted: the API requires one.

    :param current: has the name.
    :return: name and policy as they are now.
    :raises LessonspaceInputError: when there is no name to send.
    :raises LessonspaceServerError: when the API took the update and answers with another policy.
    """
    policy = wanted.get("recording_access_policy")
    name = wanted.get("name") or name_to_keep(session_id, current)
    answer = hook.update_session(session_id, name=name, recording_access_policy=policy)
    # The form of the answer to [] is unknown.
    if policy and answer.get("recording_access_policy") is not None and not is_policy(answer, policy):
        taken = clean_words(answer.get("recording_access_policy")) or "empty"
        raise LessonspaceServerError(
            f"Session {session_id}: the recording access policy {policy} was sent, and the API returned "
            f"{taken}. Check in Lessonspace who may watch, and run the task again."
        )
    return answer


def _update_item(row: Row, given: Mapping[str, object], key: str) -> Item[Update | None]:
    current = given.get("current")
    names = [given.get("name"), current.get("name") if isinstance(current, Mapping) else None]
    return Item(
        key=key,
        label=label_of("session_id", given.get("session_id")),
        place=row.place,
        task=None,
        private=tuple(name for name in names if isinstance(name, str) and len(name) > 2),
    )


def _checked_update(row: Row, given: Mapping[str, object]) -> Update:
    if row.problem is not None:
        raise LessonspaceInputError(row.problem)
    refuse_unknown(given, PARAMETERS, "field of an update", _HINTS)
    session_id = as_uuid("session_id", given.get("session_id"))
    wanted = as_session_update(session_id, given.get("name"), given.get("recording_access_policy"))
    current = given.get("current", {})
    if not isinstance(current, Mapping):
        raise refuse_hidden("current", current, f"a mapping with {' and '.join(FIELDS)} as the session has them")
    return Update(session_id, wanted, cast("Session", {name: current[name] for name in FIELDS if name in current}))
