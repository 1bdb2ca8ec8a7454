# SPDX-License-Identifier: Apache-2.0
"""What the operators share that do many things in one task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, TypeVar

from lessonspace_provider.api.arguments import as_flag, as_one_of, as_positive, refuse
from lessonspace_provider.api.foreign_words import first_of
from lessonspace_provider.bulk.items import count
from lessonspace_provider.bulk.rows import HiddenRows, file_of, read_rows
from lessonspace_provider.bulk.threads import MOST_WORKERS, WORKERS
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceJobError
from lessonspace_provider.operators.base import LessonspaceOperator, as_folder

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.bulk.cells import Columns
    from lessonspace_provider.bulk.items import Item, Plan, Row, Status
    from lessonspace_provider.bulk.run import Outcome

Task = TypeVar("Task")
Made = TypeVar("Made")

#: Refused items that an error names.
MOST_NAMED = 10


class JobResult(TypedDict):
    """The result of a bulk task: the number of items per status, and the path of the account; None without one."""

    counts: dict[Status, int]
    account: str | None


class LessonspaceBulkOperator(LessonspaceOperator):
    """
    Base of the operators that do many things in one task.

    :param account: the folder of the account; None for none.
    :param on_refused: ``"continue"`` does what can be done; ``"fail"`` does nothing if any item is refused.
    :param accept_incomplete_file: read what can be read of a file that breaks off.
    :param account_names: write people's names into the account.
    :param max_threads: items at a time.
    """

    #: The parameter that has the items.
    rows_parameter: ClassVar[str]

    @staticmethod
    @abstractmethod
    def columns() -> Columns:
        """Give the columns of an input file of CSV."""

    def __init__(
        self,
        *,
        account: str | ObjectStoragePath | None,
        on_refused: Literal["continue", "fail"] = "continue",
        accept_incomplete_file: bool = False,
        account_names: bool = False,
        max_threads: int = WORKERS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.account = account
        self.on_refused = on_refused
        self.accept_incomplete_file = accept_incomplete_file
        self.account_names = account_names
        self.max_threads = max_threads
        self._is_killed = False

    def on_kill(self) -> None:
        """Begin no further item; those in flight end first, as far as Airflow lets them."""
        self._is_killed = True

    def _do_render_template_fields(self, parent: Any, *args: Any, **kwargs: Any) -> None:
        """Keep people out of what Airflow stores as rendered fields."""
        super()._do_render_template_fields(parent, *args, **kwargs)
        rows = getattr(parent, self.rows_parameter)
        if not isinstance(rows, str):
            setattr(parent, self.rows_parameter, HiddenRows(rows))

    def _run_job(
        self,
        plan: Callable[[list[Row], Callable[..., str]], Plan[Task]],
        attempt: Callable[[Item[Task]], Made],
        complete: Callable[[Sequence[tuple[Item[Task], Made]]], Sequence[Outcome]] | None = None,
        batch_size: int = 1,
    ) -> JobResult:
        """
        Plan the job, do what is not done, and fail if anything is left.

        :param plan: plans the rows, with what makes keys.
        :param attempt: see ``JobRun``, as the other parameters.
        """
        from lessonspace_provider.bulk.account import Unrecorded, open_account
        from lessonspace_provider.bulk.progress import not_done
        from lessonspace_provider.bulk.run import JobRun

        as_one_of("on_refused", self.on_refused, ("continue", "fail"))
        with_names = as_flag("account_names", self.account_names)
        if (workers := as_positive("max_threads", self.max_threads)) > MOST_WORKERS:
            raise refuse("max_threads", workers, f"a whole number from 1 to {MOST_WORKERS}")
        folder = None if self.account is None else as_folder(self.account, "account")
        incomplete = as_flag("accept_incomplete_file", self.accept_incomplete_file)
        given = getattr(self, self.rows_parameter)
        file = file_of(self.rows_parameter, given)
        what = self.rows_parameter if file is None else f"{self.rows_parameter} in {file}"
        rows = read_rows(self.rows_parameter, given, self.columns(), accept_incomplete_file=incomplete)
        _ = self.hook.settings  # a connection that can't be used is no item's fault
        with nullcontext(Unrecorded()) if folder is None else open_account(folder, self.rows_parameter) as account:
            planned = plan(rows, account.key_of)
            self._heed(planned, what)
            run = JobRun(
                account,
                attempt,
                complete=complete,
                batch_size=batch_size,
                log=self.log,
                is_killed=lambda: self._is_killed,
                workers=workers,
                with_names=with_names,
            )
            records = run.run(planned.items, planned.refusals)
        path = None if folder is None else str(account.path)
        if problem := not_done(what, records, path, run.stopped_because):
            raise LessonspaceJobError(problem)
        return JobResult(counts=count(records), account=path)

    def _heed(self, planned: Plan[Task], what: str) -> None:
        for warning in planned.warnings:
            self.log.warning("%s.", warning)
        if planned.refusals and self.on_refused == "fail":
            refused = [f"{refusal.item.label} ({refusal.item.place}): {refusal.reason}" for refusal in planned.refusals]
            raise LessonspaceInputError(
                f"{len(planned.refusals)} of {len(planned.items) + len(planned.refusals)} {what} are refused, and none "
                f"was sent, as on_refused='fail': {first_of(refused, MOST_NAMED, '; ')}."
            )
