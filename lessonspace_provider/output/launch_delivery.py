# SPDX-License-Identifier: Apache-2.0
"""What follows a launch: its settings are compared with what was asked for, and its link is delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api.arguments import as_flag, as_one_of, refuse_hidden
from lessonspace_provider.api.launch import refused_settings
from lessonspace_provider.exceptions import LessonspaceDeliveryError, LessonspaceError, LessonspaceSettingRefusedError
from lessonspace_provider.output.delivery import check_deliver, deliver_link

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.notifier import BaseNotifier

    from lessonspace_provider.api.launch import LaunchRequest
    from lessonspace_provider.api.log import TaskLog
    from lessonspace_provider.api.types import Launch

#: Delivers the link of one launch, inside the task.
Deliver = Callable[["Launch", "Context"], object]

#: Delivers the links of several launches; returns None, or a list of those that were not delivered.
DeliverMany = Callable[[list["Launch"], "Context"], "list[Launch] | None"]

#: What a task may do when a setting that it sent does not hold.
ON_SETTING_REFUSED = ("warn", "fail")


@dataclass(frozen=True)
class LaunchDelivery:
    """
    How the links of launches are delivered.

    :param deliver: a function of ``launch`` and ``context``, or a notifier; None delivers nothing.
    :param deliver_secret: whether ``launch`` has the space's ``secret``, too.
    :param on_setting_refused: one of ``ON_SETTING_REFUSED``.
    :param deliver_many: a function of a list of launches and ``context``, in place of ``deliver``.
    """

    deliver: Deliver | BaseNotifier | None
    deliver_secret: bool
    on_setting_refused: str
    deliver_many: DeliverMany | BaseNotifier | None = None

    def check(self) -> None:
        """
        Check the parameters.

        :raises LessonspaceInputError: for anything that can't be used.
        """
        check_deliver(self.deliver, "launch")
        check_deliver(self.deliver_many, "launches", "deliver_many")
        if self.deliver is not None and self.deliver_many is not None:
            raise refuse_hidden("deliver_many", self.deliver_many, "left out where deliver is given")
        as_flag("deliver_secret", self.deliver_secret)
        as_one_of("on_setting_refused", self.on_setting_refused, ON_SETTING_REFUSED)

    def settings_to_warn_of(self, request: LaunchRequest, launch: Launch) -> list[str]:
        """
        Describe each setting that was asked for and does not hold.

        :return: sentences without a full stop, see ``refused_settings``.
        :raises LessonspaceSettingRefusedError: when there is one, and ``on_setting_refused`` is ``"fail"``.
        """
        refused = refused_settings(request.body, launch.get("room_settings"))
        if refused and self.on_setting_refused == "fail":
            raise LessonspaceSettingRefusedError(
                f"Space {request.launch_id!r} exists, but its link was not delivered, as on_setting_refused='fail': "
                f"{'; '.join(refused)}."
            )
        return refused

    def handed(self, launch: Launch, given: Mapping[str, object]) -> Launch:
        """
        Make what the delivery gets of a launch.

        :param launch: the API's answer.
        :param given: the caller's parameters, which are in ``request``; a token stays out.
        """
        asked = {name: value for name, value in given.items() if value is not None and name != "auth_external"}
        answer = {name: value for name, value in launch.items() if name != "secret" or self.deliver_secret}
        return cast("Launch", {**answer, "request": asked})

    def run(self, launches: Sequence[Launch], context: Context, log: TaskLog) -> list[LessonspaceError | None]:
        """
        Deliver links, each by itself or together.

        :param launches: see ``handed``.
        :return: for each link its error, or None.
        """
        if self.deliver_many is not None:
            return self._run_many(launches, context, log)
        return [self._error_of(launch, context, log) for launch in launches]

    def _error_of(self, launch: Launch, context: Context, log: TaskLog) -> LessonspaceError | None:
        if self.deliver is None:
            return None
        try:
            deliver_link(
                self.deliver,
                launch,
                context,
                called="launch",
                what=f"The link to space {launch['request'].get('launch_id')!r}",
                then="the space exists. Fix deliver and run the task again: it delivers another link to the same room.",
                log=log,
            )
        except LessonspaceDeliveryError as error:
            return error
        return None

    def _run_many(self, launches: Sequence[Launch], context: Context, log: TaskLog) -> list[LessonspaceError | None]:
        what, then = f"A batch of {len(launches)} links", "the spaces exist. Fix deliver_many and run the task again."
        try:
            returned = deliver_link(
                cast("DeliverMany", self.deliver_many),
                list(launches),
                context,
                called="launches",
                parameter="deliver_many",
                what=what,
                then=then,
                log=log,
            )
            failed = _launches_in(returned, launches)
            if failed is None:
                raise LessonspaceDeliveryError(
                    f"{what} counts as not delivered: deliver_many returned {type(returned).__name__}. It must return "
                    f"None, or a list of the launches that it could not deliver; {then}"
                )
        except LessonspaceDeliveryError as error:
            return [error] * len(launches)
        left = LessonspaceDeliveryError("deliver_many returned this launch as not delivered; run the task again.")
        return [left if id(launch) in failed else None for launch in launches]


def _launches_in(returned: object, launches: Sequence[Launch]) -> set[int] | None:
    """Give the identities of the returned launches; None for anything else than None or a list of these launches."""
    if returned is None:
        return set()
    if not isinstance(returned, (list, tuple)):
        return None
    found = {id(entry) for entry in returned}
    return found if found <= {id(launch) for launch in launches} else None
