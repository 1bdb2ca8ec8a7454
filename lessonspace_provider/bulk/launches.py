# SPDX-License-Identifier: Apache-2.0
"""Plans the launches of a job, all of them before the first is sent; then sends each, and delivers the links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from lessonspace_provider.api.arguments import RENDERED_NONE, shown
from lessonspace_provider.api.launch import LAUNCH_PARAMETERS, LaunchRequest, launch_request
from lessonspace_provider.api.shapes import text_or_none
from lessonspace_provider.bulk.items import Item, Plan, Refusal, Row, label_of, reason_of, without_private
from lessonspace_provider.exceptions import LessonspaceInputError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from lessonspace_provider.api.log import TaskLog
    from lessonspace_provider.api.types import Launch
    from lessonspace_provider.exceptions import LessonspaceError
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook
    from lessonspace_provider.output.launch_delivery import LaunchDelivery

#: The parameters of one launch, and ``recipient``, which only ``deliver`` gets.
Parameters = Mapping[str, object]

#: A field beside the launch parameters: whatever ``deliver`` needs and Lessonspace does not, as a parent's address.
RECIPIENT = "recipient"

#: What launches may have in common; Airflow would show the token of ``auth_external``.
DEFAULTS = tuple(name for name in LAUNCH_PARAMETERS if name not in ("launch_id", "auth_external"))

#: Warnings that are logged, each with the number of its launches.
MOST_WARNINGS = 20

#: Sentences about settings that do not hold that are logged, each with the number of its launches.
MOST_SENTENCES = 20


def request_of(parameters: Parameters) -> LaunchRequest:
    """
    Check one launch.

    :param parameters: of the launch; ``recipient`` is not checked.
    :raises LessonspaceInputError: see ``launch_request``.
    """
    return launch_request({name: value for name, value in parameters.items() if name != RECIPIENT})


def plan_launches(
    rows: Iterable[Row], key_of: Callable[..., str], *, defaults: Parameters, max_links_per_space: int
) -> Plan[Parameters]:
    """
    Check all launches, and order them.

    :param rows: the input.
    :param key_of: makes the key of an item from texts that identify it.
    :param defaults: parameters of all launches that do not have their own.
    :param max_links_per_space: a space with more launches than this is a mistake; all of them are refused.
    """
    checks = _Checks(key_of)
    for row in rows:
        checks.add(row, row.with_defaults(defaults))
    links = Counter(item.label for item in checks.passed)
    crowded = [item for item in checks.passed if links[item.label] > max_links_per_space]
    return Plan(
        items=_rooms_first([item for item in checks.passed if links[item.label] <= max_links_per_space]),
        refusals=[*checks.refusals, *(_crowded(item, links[item.label], max_links_per_space) for item in crowded)],
        warnings=list(_counted(checks.warned)),
    )


class _Checks:
    """Checks launches one after another, each against those before it, too."""

    def __init__(self, key_of: Callable[..., str]) -> None:
        self._key_of = key_of
        self._places: dict[str, str] = {}
        self._guests: Counter[str] = Counter()
        self.passed: list[Item[Parameters]] = []
        self.refusals: list[Refusal[Parameters]] = []
        self.warned: Counter[str] = Counter()

    def add(self, row: Row, parameters: Parameters) -> None:
        item = _launch_item(row, parameters, self._key_of("refused", row.place))
        try:
            request = self._checked(row, parameters)
            key = self._key_of(*self._identity(request))
            if key in self._places:
                raise LessonspaceInputError(f"this person is in this lesson twice, see {self._places[key]}")
        except LessonspaceInputError as error:
            self.refusals.append(Refusal(item, reason_of(error, item.private)))
            return
        self._places[key] = row.place
        self.passed.append(replace(item, key=key))
        for text in request.warnings:
            self.warned[without_private(f"Space {shown(item.label)}: {text}", item.private)] += 1

    @staticmethod
    def _checked(row: Row, parameters: Parameters) -> LaunchRequest:
        if row.problem is not None:
            raise LessonspaceInputError(row.problem)
        return request_of(parameters)

    def _identity(self, request: LaunchRequest) -> tuple[str, ...]:
        """Identify a link over all runs of the job: its space, its window and its person."""
        times = _mapping(request.body.get("timeouts"))
        lesson = (request.launch_id, str(times.get("not_before")), str(times.get("not_after")))
        user = _mapping(request.body.get("user"))
        for name in ("id", "name"):  # the API knows a person by the id, and by the name where there is none
            if user.get(name):
                return (*lesson, name, str(user[name]))
        self._guests["\0".join(lesson)] += 1
        return (*lesson, "guest", str(self._guests["\0".join(lesson)]))


def _launch_item(row: Row, parameters: Parameters, key: str) -> Item[Parameters]:
    user = _mapping(parameters.get("user"))
    people = [user.get("name"), user.get("id"), user.get("email"), parameters.get(RECIPIENT)]
    return Item(
        key=key,
        label=label_of("launch_id", parameters.get("launch_id")),
        place=row.place,
        task=parameters,
        name=text_or_none(user.get("name")) or None,
        private=tuple(_texts(people)),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> Iterator[str]:
    """Give all texts in a value that are long enough not to be a message's own words."""
    if isinstance(value, str) and len(value) > 2 and value != RENDERED_NONE:
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _texts(entry)


def _rooms_first(items: list[Item[Parameters]]) -> list[Item[Parameters]]:
    """Order launches: those that create a room come first, and those that join it wait for them."""
    makers: dict[str, Item[Parameters]] = {}
    for item in items:
        if item.label not in makers or (_is_teacher(item) and not _is_teacher(makers[item.label])):
            makers[item.label] = item
    joining = [replace(item, after=makers[item.label].key) for item in items if item is not makers[item.label]]
    return [*makers.values(), *joining]


def _is_teacher(item: Item[Parameters]) -> bool:
    user = _mapping(item.task.get("user"))
    return user.get("role") == "teacher" or user.get("leader") in (True, "True")


def _crowded(item: Item[Parameters], links: int, most: int) -> Refusal[Parameters]:
    reason = f"{links} launches are for this space, and max_links_per_space={most}: check launch_id, or raise the limit"
    return Refusal(item, reason)


def _counted(warned: Counter[str]) -> Iterator[str]:
    for sentence, number in warned.most_common(MOST_WARNINGS):
        yield f"{sentence} ({number} launches)" if number > 1 else sentence
    if len(warned) > MOST_WARNINGS:
        yield f"{len(warned) - MOST_WARNINGS} more warnings of this kind"


class LaunchJob:
    """
    Attempts launches, in several threads at a time.

    :param hook: what the launches are sent with.
    :param delivery: how links are delivered.
    :param context: Airflow's, for ``deliver``.
    :param log: for settings that do not hold.
    """

    def __init__(self, hook: LessonspaceHook, delivery: LaunchDelivery, context: Context, log: TaskLog) -> None:
        self._hook = hook
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
        launch = self._hook.send_launch(request.body, client_ip=request.client_ip, is_one_of_many=True)
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

    def __init__(self, log: TaskLog) -> None:
        self.info = log.debug
        self.debug = log.debug
        self.warning = log.warning
        self.error = log.error
