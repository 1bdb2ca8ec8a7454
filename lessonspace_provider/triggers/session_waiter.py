# SPDX-License-Identifier: Apache-2.0
"""One wait for a session's or a lesson's end, as part of the shared poll."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.triggers import shared_poll as shared
from lessonspace_provider.triggers.shared_poll import Patience, PollResult, SharedConnection, now
from lessonspace_provider.waiting.awaited import AwaitedLesson, AwaitedSession

if TYPE_CHECKING:
    from lessonspace_provider.waiting.lessons import EndVerdict
    from lessonspace_provider.waiting.parsed_session import ParsedSession
    from lessonspace_provider.waiting.progress import Progress


class SessionWaiter:
    """
    Reads the poll's results for one wait, and checks by itself where they are not enough.

    :param connection: what the calls are made with.
    :param awaited: what is waited for.
    :param progress: what was found last.
    :param interval: seconds between two polls.
    """

    def __init__(
        self,
        connection: SharedConnection,
        awaited: AwaitedSession | AwaitedLesson,
        progress: Progress,
        interval: float,
    ) -> None:
        self._connection = connection
        self._awaited = awaited
        self._progress = progress
        self._interval = timedelta(seconds=interval)
        self._found: dict[str, ParsedSession] = {}
        self._inconclusive: tuple[str, int] | None = None
        self._checked_at = now()
        self._patience = Patience()
        self._room = _UnknownRoom(self._interval)

    async def until_ended(self, since: datetime, *, is_checked: bool) -> EndVerdict:
        """
        Wait for the end.

        :param since: from when on ended sessions have to be listed, aware.
        :param is_checked: whether it was checked at that time, or has to be checked first.
        :raises LessonspaceError: when too many checks in a row failed.
        """
        if not is_checked and (verdict := await self.check()) is not None and verdict.status != "waiting":
            return verdict
        interval = self._interval.total_seconds()
        async with self._connection.ended_sessions(since, interval, self._awaited.spaces) as poll:
            while True:
                verdict = await self.take(await poll.next(self._failed))
                if verdict is not None and verdict.status != "waiting":
                    return verdict
                poll.spaces = self._awaited.spaces

    async def take(self, result: PollResult) -> EndVerdict | None:
        """
        Decide by what a poll found, after a check if that is not enough.

        :return: None when nothing was decided.
        """
        self._learn_room(None)
        for session in self._awaited.among(result.ended, now()):
            self._found[session.session_id] = session
        verdict = self._awaited.verdict([*self._found.values()], now())
        self._note(verdict)
        if verdict.status == "ended" and self._awaited.is_certain(verdict):
            return verdict
        is_new_room = self._room.may_have_been_used(self._awaited, result.unclaimed)
        is_not_listed = not self._awaited.is_listed and self._was_checked_long_ago()
        is_unreadable = self._awaited.is_unreadable(result.ended)
        if result.should_confirm or is_new_room or is_not_listed or is_unreadable or self._is_inconclusive(verdict):
            checked = await self.check()
            if checked is None and is_new_room:
                self._room.check_failed()
            return checked
        return None

    async def check(self) -> EndVerdict | None:
        """
        Check by itself.

        :return: None when that failed, which the next check may not.
        :raises LessonspaceError: when it failed too often in a row.
        """
        self._checked_at = now()
        awaited = self._awaited
        try:
            verdict = await self._connection.call(lambda hook: awaited.check(hook, now()))
        except LessonspaceError as error:
            self._inconclusive = None
            self._failed(error)
            if self._patience.ends_with(error):
                raise
            return None
        self._patience = Patience()
        self._learn_room(verdict)
        self._note(verdict)
        return verdict

    def _note(self, verdict: EndVerdict) -> None:
        self._progress.found(verdict.message, now(), now() + self._interval)

    def _failed(self, error: LessonspaceError) -> None:
        self._progress.failed(error, now())

    def _learn_room(self, verdict: EndVerdict | None) -> None:
        """Learn the room of a launch id, from a check or from another waiter: from then on the list shows it."""
        awaited = self._awaited
        if not isinstance(awaited, AwaitedLesson) or awaited.launch_id is None:
            return
        known = self._connection.spaces_of_launches
        space_id = awaited.space_id or (verdict.space_id if verdict else None) or known.get(awaited.launch_id)
        if space_id is not None:
            known[awaited.launch_id] = space_id
            self._awaited = replace(awaited, space_id=space_id)

    def _is_inconclusive(self, verdict: EndVerdict) -> bool:
        """Whether the listed sessions decide it, but others may contradict; checked again rarely."""
        outcome = (verdict.status, len(self._found))
        if verdict.status == "waiting" or (outcome == self._inconclusive and not self._was_checked_long_ago()):
            return False
        self._inconclusive = outcome
        return True

    def _was_checked_long_ago(self) -> bool:
        return (now() - self._checked_at).total_seconds() >= shared.CONFIRM_AFTER


class _UnknownRoom:
    """
    Notices when a room that is only known by a launch id may have been used: sessions name no launch id.

    A session that ended in a space no one is known to wait for may have been held there. Only a check can find out.
    Checks that find the room still unused are made ever more rarely.

    :param interval: between two polls.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._seen: Set[str] = frozenset()
        self._is_due = False
        self._checks = 0
        self._next_check: datetime | None = None

    def may_have_been_used(
        self, awaited: AwaitedSession | AwaitedLesson, unclaimed: Mapping[str, ParsedSession]
    ) -> bool:
        """
        Take the unclaimed sessions of a poll; whether to check now.

        :param awaited: the check is made no earlier than the lesson's window ends, as there is none before.
        :param unclaimed: see ``PollResult``.
        """
        if awaited.is_listed or isinstance(awaited, AwaitedSession):
            return False
        new = unclaimed.keys() - self._seen
        self._seen = unclaimed.keys()
        self._is_due = self._is_due or awaited.may_be_among((unclaimed[name] for name in new), now())
        is_early = now() < awaited.lesson.window_end or (self._next_check is not None and now() < self._next_check)
        if is_early or not self._is_due:
            return False
        self._is_due = False
        pause = min(self._interval * 2 ** min(self._checks, 16), timedelta(seconds=shared.CONFIRM_AFTER))
        self._next_check = now() + pause - self._interval / 2  # polls do not come exactly at their interval
        self._checks += 1
        return True

    def check_failed(self) -> None:
        """Let the check be made again, as it was inconclusive."""
        self._is_due = True
