# SPDX-License-Identifier: Apache-2.0
"""What follows a launch: its settings are compared with what was asked for, and its link is delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api.arguments import as_flag, as_one_of
from lessonspace_provider.api.launch_settings import refused_settings
from lessonspace_provider.exceptions import LessonspaceSettingRefusedError
from lessonspace_provider.output.delivery import check_deliver, deliver_link

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.notifier import BaseNotifier

    from lessonspace_provider.api.launch_request import LaunchRequest
    from lessonspace_provider.api.types import Launch
    from lessonspace_provider.output.delivery import Logger

#: Delivers the link of one launch, inside the task.
Deliver = Callable[["Launch", "Context"], object]

#: What a task may do when a setting that it sent does not hold.
ON_SETTING_REFUSED = ("warn", "fail")


@dataclass(frozen=True)
class LaunchDelivery:
    """
    How the links of launches are delivered.

    :param deliver: a function of ``launch`` and ``context``, or a notifier; None delivers nothing.
    :param deliver_secret: whether ``launch`` has the space's ``secret``, too.
    :param on_setting_refused: one of ``ON_SETTING_REFUSED``.
    """

    deliver: Deliver | BaseNotifier | None
    deliver_secret: bool
    on_setting_refused: str

    def check(self) -> None:
        """
        Check the parameters.

        :raises LessonspaceInputError: for anything that can't be used.
        """
        check_deliver(self.deliver, "launch")
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

    def run(
        self, request: LaunchRequest, launch: Launch, given: Mapping[str, object], context: Context, log: Logger
    ) -> None:
        """
        Deliver a link.

        :param request: what was asked for.
        :param launch: the API's answer.
        :param given: the caller's parameters, which ``deliver`` gets as ``launch["request"]``; a token stays out.
        :raises LessonspaceDeliveryError: when the delivery failed.
        """
        if self.deliver is None:
            return
        asked = {name: value for name, value in given.items() if value is not None and name != "auth_external"}
        answer = {name: value for name, value in launch.items() if name != "secret" or self.deliver_secret}
        deliver_link(
            self.deliver,
            cast("Launch", {**answer, "request": asked}),
            context,
            called="launch",
            what=f"The link to space {request.launch_id!r}",
            then="the space exists. Fix deliver and run the task again: it makes another link to the same room.",
            log=log,
        )
