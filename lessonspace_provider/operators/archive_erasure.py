# SPDX-License-Identifier: Apache-2.0
"""The operators that take people and old sessions out of an archive, without a call to the API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict, cast

from airflow.providers.common.compat.sdk import BaseOperator

from lessonspace_provider.api.arguments import (
    as_one_of,
    as_rendered_flag,
    as_retention,
    is_text,
    refuse,
    refuse_hidden,
    whole_number,
)
from lessonspace_provider.api.log import Log
from lessonspace_provider.archive.erasure.expiry import Expirer
from lessonspace_provider.archive.erasure.people import MODES, MOST_WORDS, Mode, is_ambiguous, words_in
from lessonspace_provider.archive.erasure.run import Eraser, ErasureOrder
from lessonspace_provider.archive.erasure.store import ErasureStore
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.health.store import HEALTH, refresh_health
from lessonspace_provider.archive.paths import as_archive
from lessonspace_provider.bulk.rows import HiddenRows
from lessonspace_provider.exceptions import LessonspaceError

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from lessonspace_provider.archive.erasure.receipt import Receipt, ReceiptStatus

#: Characters of a reference, and how many ids or names one erasure takes.
LONGEST_REFERENCE, MOST_GIVEN = 200, 100

#: How many files an error names.
MOST_NAMED = 10


class ErasureResult(TypedDict):
    """
    The result of an erasure or an expiry.

    ``status``: ``done`` or ``nothing_found``. ``counts``: ``sessions_erased``, ``sessions_redacted``,
    ``files_rewritten``, ``files_deleted``, ``tables_rebuilt``, ``lines``, ``names`` and ``left``. ``not_found``: ids
    and names that were not found, by their place in the parameters, such as ``user_ids[0]``. ``notes``: decisions to
    check, such as how many ids were found by a name. ``receipt``: the receipt's path, None for a dry run.
    """

    status: ReceiptStatus
    counts: dict[str, int]
    not_found: list[str]
    notes: list[str]
    receipt: str | None


class LessonspaceEraseOperator(BaseOperator):
    """
    Erase people from an archive: transcripts, manifests, summaries, tables, health page and accounts of bulk tasks.

    The operator needs no connection to Lessonspace and makes no call to the API. Later runs of the archive do not bring
    the people back. A receipt in ``<destination>/erasures/`` records what was searched, changed and left. After a
    killed run, the next run completes the erasure. If a file could not be changed, the task fails at its end, and the
    receipt lists the file.

    Guide: docs/how-to/delete-personal-data.md

    :param destination: the archive's folder.
    :param user_ids: Lessonspace user ids of the people, integers or their digits. The names under which they speak are
        erased, too.
    :param names: their names as they are written and spoken, such as ``Ben Okafor`` and ``Benny``. The whole name and
        each of its words are found in upper and lower case, with possessives.
    :param mode: ``redact`` writes a label in place of the people and their names. ``delete`` deletes all files of
        sessions in which they took part, and redacts their names in other sessions.
    :param dry_run: only search. Nothing is written, not even a receipt.
    :param for_future: also erase them in sessions that the archive does not have yet.
    :param force: accept single letters and common words as names. This also removes other words.
    :param reference: a reference to the request for the receipt, such as a ticket's number, without names.
    :return: see ``ErasureResult``.
    :raises LessonspaceInputError: for a wrong parameter, before anything is changed.
    :raises LessonspaceError: if a manifest can't be read, before anything is changed; at the end, if a file could not
        be changed.
    """

    template_fields: Sequence[str] = (
        "destination",
        "user_ids",
        "names",
        "mode",
        "for_future",
        "reference",
        "only_search",
    )

    def __init__(
        self,
        *,
        destination: str | ObjectStoragePath,
        user_ids: Sequence[int | str] = (),
        names: Sequence[str] = (),
        mode: str = "redact",
        dry_run: bool | str = False,
        for_future: bool | str = False,
        force: bool = False,
        reference: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.user_ids = user_ids
        self.names = names
        self.mode = mode
        self.only_search = dry_run
        self.for_future = for_future
        self.force = force
        self.reference = reference

    def _do_render_template_fields(self, parent: Any, *args: Any, **kwargs: Any) -> None:
        """Keep people out of what Airflow stores as rendered fields."""
        super()._do_render_template_fields(parent, *args, **kwargs)
        parent.user_ids, parent.names = _hidden(parent.user_ids), _hidden(parent.names)

    def execute(self, context: Context) -> ErasureResult:
        """Erase, write the receipt, then fail if something could not be changed."""
        destination = as_archive(self.destination)
        order = as_order(
            _unhidden(self.user_ids),
            _unhidden(self.names),
            mode=self.mode,
            for_future=self.for_future,
            force=self.force,
            reference=self.reference,
        )
        dry_run = as_rendered_flag("dry_run", self.only_search)
        receipt = Eraser(destination, order, log=self.log, dry_run=dry_run, run=run_of(context)).run()
        return _reported(receipt, destination, self.log, dry_run=dry_run)


class LessonspaceExpireArchiveOperator(BaseOperator):
    """
    Erase the sessions of an archive that ended more than ``keep`` ago.

    Their transcripts, summaries and table rows are deleted. Their entries in the manifests stay, without people and
    names, and no later run downloads them again. A receipt is written as for ``LessonspaceEraseOperator``.

    Guide: docs/how-to/delete-personal-data.md#keep-data-for-a-limited-time

    :param destination: the archive's folder.
    :param keep: how long after its end a session is kept: a timedelta, or seconds from 86400.
    :param dry_run: only search. Nothing is written.
    :return: see ``ErasureResult``.
    :raises LessonspaceInputError: for a wrong parameter, before anything is changed.
    :raises LessonspaceError: as for ``LessonspaceEraseOperator``.
    """

    template_fields: Sequence[str] = ("destination", "only_search")

    def __init__(
        self,
        *,
        destination: str | ObjectStoragePath,
        keep: timedelta | float,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.keep = keep
        self.only_search = dry_run

    def execute(self, context: Context) -> ErasureResult:
        """Expire, write the receipt, then fail if something could not be changed."""
        destination, keep = as_archive(self.destination), as_retention("keep", self.keep)
        dry_run = as_rendered_flag("dry_run", self.only_search)
        receipt = Expirer(destination, keep, dry_run=dry_run, run=run_of(context)).run()
        return _reported(receipt, destination, self.log, dry_run=dry_run)


def _hidden(given: object) -> HiddenRows:
    return given if isinstance(given, HiddenRows) else HiddenRows(given)


def _unhidden(given: object) -> object:
    return given.rows if isinstance(given, HiddenRows) else given


def run_of(context: Context) -> str | None:
    """Name the task that runs, for a receipt: its DAG, run and id, and who triggered it; None outside of Airflow."""
    task_instance = context.get("ti")
    if task_instance is None:
        return None
    user = getattr(context.get("dag_run"), "triggering_user_name", None)  # older versions do not give it
    triggered = f", triggered by {user}" if user else ""
    return f"dag {task_instance.dag_id}, run {task_instance.run_id}, task {task_instance.task_id}{triggered}"


def as_order(
    user_ids: object,
    names: object,
    *,
    mode: object,
    for_future: object = False,
    force: object = False,
    reference: object = None,
) -> ErasureOrder:
    """
    Check who is erased and how; see ``LessonspaceEraseOperator``.

    :raises LessonspaceInputError: for what can't be used.
    """
    with_force = as_rendered_flag("force", force)
    order = ErasureOrder(
        user_ids=as_user_ids(user_ids),
        names=as_names(names, force=with_force),
        mode=cast("Mode", as_one_of("mode", mode, MODES)),
        for_future=as_rendered_flag("for_future", for_future),
        force=with_force,
        reference=as_reference(reference),
    )
    if not order.user_ids and not order.names:
        raise refuse("user_ids", user_ids, "given, or names must be")
    check_reference(order)
    return order


def as_user_ids(user_ids: object) -> list[int]:
    """Check user ids; a template has made text of them."""
    allowed = f"a list of at most {MOST_GIVEN} Lessonspace user ids, integers or their digits"
    if isinstance(user_ids, (str, bytes)) or not isinstance(user_ids, Sequence) or len(user_ids) > MOST_GIVEN:
        raise refuse_hidden("user_ids", user_ids, allowed)
    return list(dict.fromkeys(_as_user_id(user_id, allowed) for user_id in user_ids))


def _as_user_id(value: object, allowed: str) -> int:
    number = whole_number(value.strip() if isinstance(value, str) else value)
    if number is None or number < 1:
        raise refuse_hidden("user_ids", value, allowed)
    return number


def as_names(names: object, *, force: bool) -> list[str]:
    """
    Check names.

    :param force: whether those of one letter and common words are accepted.
    """
    allowed = f"a list of at most {MOST_GIVEN} names of 1 to {MOST_WORDS} words"
    if isinstance(names, (str, bytes)) or not isinstance(names, Sequence) or len(names) > MOST_GIVEN:
        raise refuse_hidden("names", names, allowed)
    for name in names:
        words = words_in(name) if is_text(name) else []
        if not 1 <= len(words) <= MOST_WORDS:
            raise refuse_hidden("names", name, allowed)
        if not force and all(is_ambiguous(word.folded) for word in words) and len(words) == 1:
            raise refuse_hidden(
                "names",
                name,
                "no single letter, number or common word, which would remove other words from every lesson. Give the "
                "whole name, or force=True",
            )
    return list(dict.fromkeys(names))


def as_reference(reference: object) -> str | None:
    """Check a reference; empty is none."""
    if reference is None or reference == "":
        return None
    if not is_text(reference) or len(reference) > LONGEST_REFERENCE or not reference.isprintable():
        raise refuse("reference", reference, f"a text of one line and at most {LONGEST_REFERENCE} characters, or None")
    return reference


def check_reference(order: ErasureOrder) -> None:
    """Refuse a reference by which the receipt would keep what is erased."""
    words = {word.folded for word in words_in(order.reference or "")}
    own = {str(user_id) for user_id in order.user_ids}
    own |= {word.folded for name in order.names for word in words_in(name) if not is_ambiguous(word.folded)}
    if words & own:
        raise refuse_hidden("reference", order.reference, "without the ids and names that are erased")


def result_of(receipt: Receipt, destination: ObjectStoragePath, *, dry_run: bool) -> ErasureResult:
    """Reduce a receipt to what a task returns."""
    return ErasureResult(
        status=receipt.status,
        counts=receipt.figures,
        not_found=[searched["given"] for searched in receipt.searched if not searched["sessions"]],
        notes=receipt.notes,
        receipt=None if dry_run else str(ErasureStore(destination).receipt_path(receipt.name)),
    )


def _reported(receipt: Receipt, destination: ObjectStoragePath, log: Log, *, dry_run: bool) -> ErasureResult:
    """Log what a run has done, take what it erased out of the archive's health, and fail if it is incomplete."""
    result = result_of(receipt, destination, dry_run=dry_run)
    if result["not_found"]:
        log.warning("Found nowhere in the archive: %s", ", ".join(result["not_found"]))
    if dry_run:
        log.info("Dry run, nothing was changed. Would be: %s: %s", result["status"], result["counts"])
    else:
        log.info("%s: %s. Receipt: %s", result["status"], result["counts"], result["receipt"])
    for left in receipt.left[:MOST_NAMED]:
        log.warning("Left as it is: %s: %s", left["path"], left["reason"])
    health_problem = None
    if not dry_run:
        try:
            refresh_health(destination)  # after the manifests and the receipt
        except Exception as error:  # whatever a store's client raises
            health_problem = f"{HEALTH} was not brought up to date, run the task again: {reason_of(error)}"
    fail_if_incomplete(receipt, result["receipt"], health_problem)
    return result


def fail_if_incomplete(receipt: Receipt, path: str | None, health_problem: str | None = None) -> None:
    """
    Fail for what could not be changed.

    :param path: of the receipt.
    :param health_problem: why the archive's health is not up to date.
    """
    complaints = []
    if failed := receipt.failed:
        named = "; ".join(f"{left['path']}: {left['reason']}" for left in failed[:MOST_NAMED])
        complaints.append(
            f"{len(failed)} files could not be searched or changed, all others are done; run the task again. The "
            f"receipt {path} has what was changed: {named}"
        )
    complaints += [health_problem] if health_problem else []
    if complaints:
        raise LessonspaceError("\n".join(complaints))
