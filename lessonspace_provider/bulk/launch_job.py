# SPDX-License-Identifier: Apache-2.0
"""Sends the launches of a job, and delivers their links, each by itself or in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from lessonspace_provider.bulk.launches import Parameters, request_of
from lessonspace_provider.output.delivery import Logger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from lessonspace_provider.api.types import Launch
    from lessonspace_provider.bulk.items import Item
    from lessonspace_provider.exceptions import LessonspaceError
    from lessonspace_provider.output.launch_delivery import LaunchDelivery

#: Sentences about settings that do not hold that are logged, each with the number of its launches.
MOST_SENTENCES = 20


class Launcher(Protocol):
    """The part of the hook that is used here."""

    def send_launch(self, body: Mapping[str, object], *, client_ip: str | None = None) -> Launch:
        """Send a launch that was checked."""


class LaunchJob:
    """
    Attempts launches, in several threads at a time.

    :param launcher: the hook.
    :param delivery: how links are delivered.
    :param context: Airflow's, for ``deliver``.
    :param log: for settings that do not hold.
    """

    def __init__(self, launcher: Launcher, delivery: LaunchDelivery, context: Context, log: Logger) -> None:
        self._launcher = launcher
        self._delivery = delivery
        self._context = context
        self._log = log
        self._refused_settings: Counter[str] = Counter()
        self._counting = Lock()

    def send(self, item: Item[Parameters]) -> Launch:
        """
        Send a launch.

        :return: what its delivery gets.
        """
        request = request_of(item.task)
        launch = self._launcher.send_launch(request.body, client_ip=request.client_ip)
        sentences = self._delivery.settings_to_warn_of(request, launch)
        with self._counting:
            self._refused_settings.update(sentences)
        return self._delivery.handed(launch, item.task)

    def deliver(self, sent: Sequence[tuple[Item[Parameters], Launch]]) -> list[LessonspaceError | None]:
        """
        Deliver links.

        :return: for each link its error, or None.
        """
        return self._delivery.run([launch for _, launch in sent], self._context, _DebugLog(self._log))

    def report_settings(self) -> None:
        """Log which settings did not hold, and for how many launches."""
        for sentence, number in self._refused_settings.most_common(MOST_SENTENCES):
            self._log.warning("%d launches: %s.", number, sentence)


class _DebugLog:
    """Logs deliveries for debugging only: progress and account report them."""

    def __init__(self, log: Logger) -> None:
        self.info = log.debug
        self.debug = log.debug
        self.warning = log.warning
        self.error = log.error
