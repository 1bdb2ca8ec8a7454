# SPDX-License-Identifier: Apache-2.0
"""
What all triggers of one connection share in a triggerer: a hook, the threads it runs in, and one poll.

The poll lists the sessions that ended since the one before it, for all waiters. It goes by the ends that the API names,
not by this machine's clock, and goes back a little further than the newest of them. What the API sends is parsed in
a thread, so that the event loop only handles short texts.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from lessonspace_provider.api.arguments import as_connection_id
from lessonspace_provider.api.replaced_errors import ErrorsReplaced
from lessonspace_provider.exceptions import PASSING_ERRORS, LessonspaceError
from lessonspace_provider.metrics import names, sending
from lessonspace_provider.triggers.call_threads import CallThreads
from lessonspace_provider.waiting.cursor import OVERLAP, EndedSessions

if TYPE_CHECKING:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook
    from lessonspace_provider.waiting.parsed_session import ParsedSession

Result = TypeVar("Result")

#: How many checks in a row may fail, and how long in seconds an outage may last at least; each check was retried by the
#: hook for as long as the connection allows.
FAILURES_ALLOWED = 10
OUTAGE_ALLOWED = 3600.0

#: Seconds after which a waiter checks by itself, should the list have missed something. Only one does so every second
#: poll, or a thousand waiters would cost as much as a thousand polls.
CONFIRM_AFTER = 600.0
POLLS_PER_CONFIRMATION = 2

#: Threads for the calls of single waiters: one reply that does not end must not hold up those of the other waiters.
CALL_THREADS = 3

#: Sessions that can't be read, of which a poll warns.
MOST_WARNED = 5

_log = logging.getLogger(__name__)


class Patience:
    """How long failures in a row are tolerated: starts again with each success."""

    def __init__(self) -> None:
        self._failures = 0
        self._since = time.monotonic()

    def ends_with(self, error: LessonspaceError) -> bool:
        """Take note of a failure; whether it is one too many. An outage passes, a wrong key does not."""
        if not self._failures:
            self._since = time.monotonic()
        self._failures += 1
        may_pass = isinstance(error, PASSING_ERRORS) and time.monotonic() - self._since < OUTAGE_ALLOWED
        return self._failures >= FAILURES_ALLOWED and not may_pass


@dataclass(frozen=True)
class PollResult:
    """
    What a poll found.

    :param began: when it began, aware.
    :param ended: the sessions that ended lately; several polls show the same session.
    :param should_confirm: whether the waiter that reads this is to check by itself.
    :param unclaimed: those of ``ended`` in spaces that no waiter is known to wait for, by uuid.
    """

    began: datetime
    ended: EndedSessions
    should_confirm: bool = False
    unclaimed: Mapping[str, ParsedSession] = field(default_factory=dict)


@dataclass(frozen=True)
class FailedPoll:
    """
    A poll that failed.

    :param is_last: whether too many in a row have.
    """

    error: LessonspaceError
    is_last: bool


@dataclass(eq=False)
class Subscription:
    """
    A waiter's access to the poll.

    :param interval: seconds between two polls; of all subscriptions, the shortest holds.
    :param confirmed_at: the loop's time of the last check that the waiter made by itself.
    :param spaces: names of the space that is waited for, once they are known.
    :param patience: with the polls since it was made.
    """

    interval: float
    confirmed_at: float
    spaces: frozenset[str] = frozenset()
    patience: Patience = field(default_factory=Patience)
    _results: asyncio.Queue[PollResult | FailedPoll] = field(default_factory=asyncio.Queue)

    def deliver(self, result: PollResult | FailedPoll) -> None:
        """Leave it what a poll found, or why it found nothing."""
        self._results.put_nowait(result)

    async def next(self, failed: Callable[[LessonspaceError], None] | None = None) -> PollResult:
        """
        Wait for the next poll that succeeds.

        :param failed: called with the error of each poll that does not.
        :raises LessonspaceError: when too many polls in a row failed, see ``Patience``.
        """
        while isinstance(result := await self._results.get(), FailedPoll):
            if result.is_last:
                raise result.error
            if failed is not None:
                failed(result.error)
        return result


class SharedConnection:
    """
    One connection, as used by all triggers of an event loop. See ``shared_connection``.

    :param conn_id: the connection's id.
    """

    def __init__(self, conn_id: str) -> None:
        self.users = 0
        #: Spaces by launch id, as far as waiters have learned them.
        self.spaces_of_launches: dict[str, str] = {}
        self._conn_id = conn_id
        self._hook: LessonspaceHook | None = None
        self._loading = asyncio.Lock()
        self._poll_thread = CallThreads(f"lessonspace-{conn_id}-poll", 1)
        self._threads = CallThreads(f"lessonspace-{conn_id}", CALL_THREADS)
        self._poll: _Poll | None = None

    async def call(self, function: Callable[[LessonspaceHook], Result], *, is_poll: bool = False) -> Result:
        """
        Run a function of the hook in a thread of the connection's own, so that the event loop continues.

        :param function: gets the hook.
        :param is_poll: run it in the poll's own thread: all waiters need the poll, and other calls may take long.
        :raises LessonspaceError: what the function raised, or that the connection can't be read.
        """
        async with self._loading:  # or a hundred that begin at once would each load one
            hook = self._hook = self._hook or await self._loaded_hook()
        try:
            threads = self._poll_thread if is_poll else self._threads
            return await threads.run(lambda: function(hook))
        except LessonspaceError:
            self._hook = None  # a person may correct the connection meanwhile
            raise

    @asynccontextmanager
    async def ended_sessions(
        self, since: datetime, interval: float, spaces: frozenset[str] = frozenset()
    ) -> AsyncIterator[Subscription]:
        """
        Subscribe to the connection's one poll.

        :param since: aware; what ended since then is shown, at least.
        :param interval: seconds between two polls.
        :param spaces: see ``Subscription``.
        """
        self._poll = poll = self._poll or _Poll(self)
        subscription = poll.join(since, interval, spaces)
        try:
            yield subscription
        finally:
            poll.leave(subscription)
            if not poll.has_subscriptions:
                self._poll = None

    def close(self) -> None:
        """Let the threads end after their present calls."""
        self._poll_thread.close()
        self._threads.close()

    async def _loaded_hook(self) -> LessonspaceHook:
        # Importing it takes a quarter of a second, which is too long for the event loop.
        hook = await self._threads.run(lambda: _new_hook(self._conn_id))
        with ErrorsReplaced(self._unreadable, Exception):
            await hook.load_settings()
        return hook

    def _unreadable(self, error: Exception) -> LessonspaceError:
        reason = type(error).__name__
        return LessonspaceError(
            f"Connection {self._conn_id!r} can't be read ({reason}): check that the triggerer knows it."
        )


def _new_hook(conn_id: str) -> LessonspaceHook:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

    return LessonspaceHook(conn_id)


_shared: dict[tuple[asyncio.AbstractEventLoop, str], SharedConnection] = {}


@asynccontextmanager
async def shared_connection(conn_id: str) -> AsyncIterator[SharedConnection]:
    """
    Use a connection together with all others of this event loop; the last one that leaves closes it.

    :param conn_id: the connection's id.
    """
    key = (asyncio.get_running_loop(), as_connection_id("lessonspace_conn_id", conn_id))
    if key not in _shared:
        _shared[key] = SharedConnection(conn_id)
    connection = _shared[key]
    connection.users += 1
    _set_waiters()
    try:
        yield connection
    finally:
        connection.users -= 1
        if not connection.users:
            del _shared[key]
            connection.close()
        _set_waiters()


def _set_waiters() -> None:
    sending.set_gauge(names.WAITERS, sum(connection.users for connection in _shared.values()))


class _Poll:
    """Lists the sessions that ended, as long as there are subscriptions."""

    def __init__(self, connection: SharedConnection) -> None:
        self._connection = connection
        self._subscriptions: deque[Subscription] = deque()
        self._list_from: datetime | None = None
        self._joined = asyncio.Event()
        self._warned_of: frozenset[str] = frozenset()
        # Without the context of the first waiter, or the poll's lines would all be in that task's log.
        self._task = contextvars.Context().run(asyncio.create_task, self._run())

    @property
    def has_subscriptions(self) -> bool:
        """Whether anybody waits for it."""
        return bool(self._subscriptions)

    def join(self, since: datetime, interval: float, spaces: frozenset[str] = frozenset()) -> Subscription:
        subscription = Subscription(interval, asyncio.get_running_loop().time(), spaces)
        self._subscriptions.append(subscription)
        since = min(since, now()) - OVERLAP
        self._list_from = min(self._list_from or since, since)
        self._joined.set()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._task.cancel()

    async def _run(self) -> None:
        polls, loop = 0, asyncio.get_running_loop()
        due = loop.time()
        while self._subscriptions:
            # A waiter that joins during a poll may need what is further back than this one lists.
            subscriptions, began = list(self._subscriptions), now()
            is_good = False
            try:
                ended = await self._list(began)
            except Exception as error:
                self._deliver_failure(subscriptions, as_lessonspace_error(error))
            else:
                is_good = True
                polls += 1
                self._warn_of(ended)
                self._deliver(subscriptions, began, ended, may_confirm=polls % POLLS_PER_CONFIRMATION == 0)
            sending.set_gauge(names.POLL_LAG, loop.time() - due)
            _set_waiters()
            await self._rest()
            due = loop.time() if is_good else due

    async def _list(self, began: datetime) -> EndedSessions:
        list_from, self._list_from = self._list_from or began, None
        try:
            ended = await self._connection.call(lambda hook: _list_ended(hook, list_from), is_poll=True)
        except BaseException:
            self._list_from = min(self._list_from or list_from, list_from)
            raise
        # What ended while the list was read may be before the place where reading was; and an end in the future, by
        # whatever mistake, must not hide all that come before it.
        newest = min(ended.newest_end or list_from, began)
        following = max(list_from, newest - OVERLAP)
        self._list_from = min(self._list_from or following, following)
        return ended

    def _deliver(
        self, subscriptions: list[Subscription], began: datetime, ended: EndedSessions, *, may_confirm: bool
    ) -> None:
        confirming = self._next_to_confirm() if may_confirm else None
        claimed = {name for subscription in self._subscriptions for name in subscription.spaces}
        unclaimed = {name: session for name, session in ended.by_id.items() if claimed.isdisjoint(session.spaces)}
        for subscription in subscriptions:
            subscription.patience = Patience()
            subscription.deliver(PollResult(began, ended, subscription is confirming, unclaimed))

    def _deliver_failure(self, subscriptions: list[Subscription], error: LessonspaceError) -> None:
        _log.warning("Listing ended sessions failed and will be repeated: %s", error)
        for subscription in subscriptions:
            is_last = subscription.patience.ends_with(error)
            if is_last:
                subscription.patience = Patience()
            subscription.deliver(FailedPoll(error, is_last))

    def _warn_of(self, ended: EndedSessions) -> None:
        """Warn of sessions that can't be read, of each once as long as it is listed."""
        new = [name for name in ended.unreadable if name not in self._warned_of]
        self._warned_of = frozenset(ended.unreadable)
        for name in islice(new, MOST_WARNED):
            _log.warning("A session is left out of the poll. %s", ended.unreadable[name])
        if len(new) > MOST_WARNED:
            _log.warning("And %d more sessions can't be read.", len(new) - MOST_WARNED)

    def _next_to_confirm(self) -> Subscription | None:
        moment = asyncio.get_running_loop().time()
        first = self._subscriptions[0] if self._subscriptions else None
        if first is None or moment - first.confirmed_at < CONFIRM_AFTER:
            return None
        first.confirmed_at = moment
        self._subscriptions.rotate(-1)
        return first

    async def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._subscriptions and (left := began + min(s.interval for s in self._subscriptions) - loop.time()) > 0:
            self._joined.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._joined.wait(), left)


def _list_ended(hook: LessonspaceHook, since: datetime) -> EndedSessions:
    return EndedSessions.parse(hook.list_sessions(end_time_after=since, include_single_user=True))


def as_lessonspace_error(error: Exception) -> LessonspaceError:
    """Name an unexpected error by its kind alone: its text may hold what no event and no log line should."""
    if isinstance(error, LessonspaceError):
        return error
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s in a trigger:\n%s", type(error).__name__, frames)
    return LessonspaceError(f"{type(error).__name__} while waiting for Lessonspace: see the triggerer's log.")


def now() -> datetime:
    """Give the present, aware."""
    return datetime.now(timezone.utc)
