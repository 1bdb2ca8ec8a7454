# SPDX-License-Identifier: Apache-2.0
"""The items of a bulk task, and the record of each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypedDict, TypeVar

from lessonspace_provider.api.arguments import LARGEST_NUMBER, MAX_LAUNCH_ID
from lessonspace_provider.api.foreign_words import clean_message
from lessonspace_provider.exceptions import LessonspaceError

Task = TypeVar("Task")

#: The status of an item. ``refused`` items were not sent: their input has to be corrected. ``withdrawn`` items were not
#: done, and a later run's input no longer had them.
Status = Literal["done", "failed", "refused", "not_attempted", "withdrawn"]

#: What a run's own items may be.
STATUSES: tuple[Status, ...] = ("done", "failed", "refused", "not_attempted")

#: What any item of an account may be.
ALL_STATUSES: tuple[Status, ...] = (*STATUSES, "withdrawn")

#: Characters of a reason that an account keeps.
LONGEST_REASON = 500


@dataclass(frozen=True, repr=False)
class Row:
    """
    A row of the input.

    :param place: where it is: ``item 3`` of a list, ``line 3`` of a file.
    :param values: its fields; empty when it can't be read.
    :param problem: why it can't be read; None when it can.
    """

    place: str
    values: Mapping[str, object]
    problem: str | None = None

    def with_defaults(self, defaults: Mapping[str, object]) -> dict[str, object]:
        """Give the fields, and the defaults of those that are None or not there."""
        return {**defaults, **{name: value for name, value in self.values.items() if value is not None}}


@dataclass(frozen=True, repr=False)
class Item(Generic[Task]):
    """
    One item of a job. It has no repr of its fields, since they may hold personal data.

    :param key: identifies the item in its account, over all runs of the job.
    :param label: names the item in logs and accounts: a ``launch_id``, or a session's uuid.
    :param place: where the input has it: ``line 3``, ``item 3``.
    :param task: what has to be done.
    :param after: key of the item that must have been attempted before this one; None for none.
    :param name: a person's name, for accounts that have names.
    :param private: texts that may not appear in a reason, such as names and e-mail addresses.
    """

    key: str
    label: str
    place: str
    task: Task
    after: str | None = None
    name: str | None = None
    private: tuple[str, ...] = ()


class Record(TypedDict):
    """
    A line of an account: what became of an item.

    ``item`` is the item's label, ``place`` where the input had it, ``tries`` how often it was attempted in all runs,
    ``time`` when the status was set (ISO 8601, UTC), ``name`` a person's name in accounts that have names.
    """

    key: str
    item: str
    place: str
    status: Status
    reason: str | None
    tries: int
    time: str
    name: str | None


@dataclass(frozen=True, repr=False)
class Refusal(Generic[Task]):
    """
    An item of the input that is not sent.

    :param item: what it is.
    :param reason: why, and what would be right.
    """

    item: Item[Task]
    reason: str


@dataclass(frozen=True, repr=False)
class Plan(Generic[Task]):
    """
    The items of a job.

    :param items: those to attempt, in the order in which to begin them.
    :param refusals: those that are not sent.
    :param warnings: sentences about what is allowed, and more likely a mistake.
    """

    items: list[Item[Task]]
    refusals: list[Refusal[Task]]
    warnings: list[str]


def label_of(parameter: str, value: object) -> str:
    """
    Name an item of the input by its id; what can't be an id is described by its type.

    :param parameter: that has the id.
    """
    if value is None:
        return f"<no {parameter}>"
    is_number = isinstance(value, int) and -LARGEST_NUMBER < value < LARGEST_NUMBER
    is_short = isinstance(value, str) and len(value) <= MAX_LAUNCH_ID
    return str(value) if is_number or is_short else f"<{type(value).__name__}>"


def count(records: Iterable[Record]) -> dict[Status, int]:
    """Count the records of each of a run's statuses; those that did not occur are 0."""
    occurred = Counter(record["status"] for record in records)
    return {status: occurred[status] for status in STATUSES}


def reason_of(error: BaseException, private: Iterable[str] = ()) -> str:
    """
    Write an error as the reason of an item, without what accounts never hold.

    :param error: texts of other errors than ``LessonspaceError`` may hold anything and are left out.
    :param private: texts to hide.
    :return: one line, without links, e-mail addresses and ``private``.
    """
    if not isinstance(error, LessonspaceError):
        return f"unexpected {type(error).__name__}, see the task's log"
    return without_private(str(error), private)


def without_private(text: str, private: Iterable[str] = ()) -> str:
    """Hide links, e-mail addresses and ``private`` in a text, and write it in one line."""
    text = " ".join(clean_message(text, hide_links=True).split())
    for word in sorted(filter(None, private), key=len, reverse=True):
        text = text.replace(word, "<hidden>")
    return text[:LONGEST_REASON]
