# SPDX-License-Identifier: Apache-2.0
"""
What all triggers of one connection share in a triggerer: a hook, the one thread it runs in, and one poll.

The poll lists the sessions that ended since it last looked, and tells everybody who waits. It goes by the ends that
the API names, not by this machine's clock, and looks back a little further than the newest of them.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from lessonspace_provider.exceptions import PASSING_ERRORS, LessonspaceError
from lessonspace_provider.foreign_words import clean_words
from lessonspace_provider.parameters import as_connection_id, refuse
from lessonspace_provider.sessions import end_time, summary
from lessonspace_provider.times import read_time
from lessonspace_provider.waiting import OVERLAP, EndedSessions

if TYPE_CHECKING:
    from lessonspace_provider.api_types import Session
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

Result = TypeVar("Result")

#: How many looks in a row may fail, and how long in seconds an outage may last at least; each look was tried again by
#: the hook for as long as the connection allows.
FAILURES_ALLOWED = 10
OUTAGE_ALLOWED = 3600.0

#: Seconds after which one who waits asks for itself, should the list have missed something. Only one does so every
#: second poll, or a thousand who wait would cost as much as a thousand polls.
CONFIRM_AFTER = 600.0
POLLS_PER_CONFIRMATION = 2

_log = logging.getLogger(__name__)


class Patience:
    """How long failures in a row are borne: begun anew with each success."""

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
class News:
    """
    What a poll found.

    :param began: when it began, aware.
    :param ended: the sessions that ended lately; the same one is told several times.
    :param is_turn: whether the one who reads this is to ask for itself.
    """

    began: datetime
    ended: EndedSessions
    is_turn: bool


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
    One who listens to the poll.

    :param interval: seconds between two polls; of all who listen, the shortest holds.
    :param confirmed_at: the loop's time of the last look of its own.
    :param patience: with the polls since it listens.
    """

    interval: float
    confirmed_at: float
    patience: Patience = field(default_factory=Patience)
    _news: asyncio.Queue[News | FailedPoll] = field(default_factory=asyncio.Queue)

    def tell(self, news: News | FailedPoll) -> None:
        """Leave it what was found, or why nothing was."""
        self._news.put_nowait(news)

    async def next(self, failed: Callable[[LessonspaceError], None] | None = None) -> News:
        """
        Wait for the next poll that succeeds.

        :param failed: called with the error of each poll that does not.
        :raises LessonspaceError: when too many polls in a row failed, see ``Patience``.
        """
        while isinstance(news := await self._news.get(), FailedPoll):
            if news.is_last:
                raise news.error
            if failed is not None:
                failed(news.error)
        return news


class SharedConnection:
    """
    One connection, as used by all triggers of an event loop. See ``shared_connection``.

    :param conn_id: the connection's id.
    """

    def __init__(self, conn_id: str) -> None:
        self.users = 0
        self._conn_id = conn_id
        self._hook: LessonspaceHook | None = None
        self._loading = asyncio.Lock()
        self._thread = _Thread(f"lessonspace-{conn_id}")
        self._poll: _Poll | None = None

    async def call(self, function: Callable[[LessonspaceHook], Result], *, is_poll: bool = False) -> Result:
        """
        Run a function of the hook in the connection's own thread, so that the event loop goes on.

        :param function: gets the hook.
        :param is_poll: run it before all others: everybody waits for the poll.
        :raises LessonspaceError: what the function raised, or that the connection can't be read.
        """
        async with self._loading:  # or a hundred who begin at once would each load one
            hook = self._hook = self._hook or await self._loaded_hook()
        try:
            return await self._thread.run(lambda: function(hook), first=is_poll)
        except LessonspaceError:
            self._hook = None  # somebody may correct the connection meanwhile
            raise

    @asynccontextmanager
    async def ended_sessions(self, since: datetime, interval: float) -> AsyncIterator[Subscription]:
        """
        Listen to the connection's one poll.

        :param since: aware; what ended since then is told, at least.
        :param interval: seconds between two polls.
        """
        self._poll = poll = self._poll or _Poll(self)
        subscription = poll.join(since, interval)
        try:
            yield subscription
        finally:
            poll.leave(subscription)
            if not poll.is_heard:
                self._poll = None

    def close(self) -> None:
        """Let the thread end after its present call."""
        self._thread.close()

    async def _loaded_hook(self) -> LessonspaceHook:
        # Importing it takes a quarter of a second, which is too long for the event loop.
        hook = await self._thread.run(lambda: _new_hook(self._conn_id))
        try:
            await hook.load_settings()
        except LessonspaceError:
            raise
        except Exception as error:
            reason = type(error).__name__
        else:
            return hook
        raise LessonspaceError(
            f"Connection {self._conn_id!r} can't be read ({reason}): check that the triggerer knows it."
        )


def _new_hook(conn_id: str) -> LessonspaceHook:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

    return LessonspaceHook(conn_id)


_shared: dict[tuple[asyncio.AbstractEventLoop, str], SharedConnection] = {}


@asynccontextmanager
async def shared_connection(conn_id: str) -> AsyncIterator[SharedConnection]:
    """
    Join those who use a connection in this event loop; the last one who leaves closes it.

    :param conn_id: the connection's id.
    """
    key = (asyncio.get_running_loop(), as_connection_id("lessonspace_conn_id", conn_id))
    if key not in _shared:
        _shared[key] = SharedConnection(conn_id)
    connection = _shared[key]
    connection.users += 1
    try:
        yield connection
    finally:
        connection.users -= 1
        if not connection.users:
            del _shared[key]
            connection.close()


class _Poll:
    """Lists the sessions that ended, as long as anybody listens."""

    def __init__(self, connection: SharedConnection) -> None:
        self._connection = connection
        self._subscriptions: deque[Subscription] = deque()
        self._look_from: datetime | None = None
        self._joined = asyncio.Event()
        # Without the context of whoever came first, or the poll's lines would all stand in that task's log.
        self._task = contextvars.Context().run(asyncio.create_task, self._run())

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._subscriptions)

    def join(self, since: datetime, interval: float) -> Subscription:
        subscription = Subscription(interval, asyncio.get_running_loop().time())
        self._subscriptions.append(subscription)
        since = min(since, now()) - OVERLAP
        self._look_from = min(self._look_from or since, since)
        self._joined.set()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._task.cancel()

    async def _run(self) -> None:
        polls = 0
        while self._subscriptions:
            # Whoever joins during a poll may need what lies further back than this one looks.
            listeners, began = list(self._subscriptions), now()
            try:
                ended = await self._look(began)
            except Exception as error:
                self._tell_failure(listeners, as_lessonspace_error(error))
            else:
                polls += 1
                chosen = self._whose_turn() if polls % POLLS_PER_CONFIRMATION == 0 else None
                for subscription in listeners:
                    subscription.patience = Patience()
                    subscription.tell(News(began, ended, is_turn=subscription is chosen))
            await self._rest()

    async def _look(self, began: datetime) -> EndedSessions:
        look_from, self._look_from = self._look_from or began, None
        try:
            ended, newest = await self._connection.call(lambda hook: _list_ended(hook, look_from), is_poll=True)
        except BaseException:
            self._look_from = min(self._look_from or look_from, look_from)
            raise
        # What ended while the list was read may stand before the place where reading was; and an end in the future, by
        # whatever mistake, must not hide all that come before it.
        newest = min(newest or look_from, began)
        following = max(look_from, newest - OVERLAP)
        self._look_from = min(self._look_from or following, following)
        return ended

    def _tell_failure(self, listeners: list[Subscription], error: LessonspaceError) -> None:
        _log.warning("Looking for ended sessions failed, next try in a while: %s", error)
        for subscription in listeners:
            is_last = subscription.patience.ends_with(error)
            if is_last:
                subscription.patience = Patience()
            subscription.tell(FailedPoll(error, is_last))

    def _whose_turn(self) -> Subscription | None:
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


def _list_ended(hook: LessonspaceHook, since: datetime) -> tuple[EndedSessions, datetime | None]:
    """List what ended since then, with the newest end; a session that can't be read must not stop the others."""
    sessions: list[Session] = []
    ends: list[datetime] = []
    for session in hook.list_sessions(end_time_after=since, include_single_user=True):
        try:
            summary(session), EndedSessions([session])  # all that whoever waits will ask of it
            end = end_time(session)
        except Exception as error:
            _log.warning(
                "Session %s can't be read and is left out (%s)", clean_words(session.get("uuid")), type(error).__name__
            )
            continue
        if end is not None:
            sessions.append(session)
            ends.append(end)
    return EndedSessions(sessions), max(ends, default=None)


def as_lessonspace_error(error: Exception) -> LessonspaceError:
    """Name an unexpected error by its kind alone: its text may hold what no event and no log line should."""
    if isinstance(error, LessonspaceError):
        return error
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s in a trigger:\n%s", type(error).__name__, frames)
    return LessonspaceError(f"{type(error).__name__} while waiting for Lessonspace: look into the triggerer's log.")


def now() -> datetime:
    """Give the present, aware."""
    return datetime.now(timezone.utc)


def from_epoch(parameter: str, seconds: float | None) -> datetime | None:
    """
    Read a trigger's keyword: epoch seconds, since a trigger's keywords have to be JSON.

    :param parameter: the keyword's name, for the message.
    :return: aware; None for None.
    :raises LessonspaceInputError: for anything else.
    """
    if seconds is None:
        return None
    try:
        moment = read_time(datetime.fromtimestamp(seconds, timezone.utc))
    except (TypeError, ValueError, OverflowError, OSError):
        moment = None
    if moment is None:
        raise refuse(parameter, seconds, "seconds since 1970-01-01T00:00:00Z")
    return moment


def seconds_until(parameter: str, epoch: float | None) -> float | None:
    """
    Say how long it is until a moment.

    :param parameter: the keyword's name, for the message.
    :param epoch: see ``from_epoch``.
    :return: seconds, 0 or more; None for None.
    :raises LessonspaceInputError: for anything else.
    """
    moment = from_epoch(parameter, epoch)
    return None if moment is None else max((moment - now()).total_seconds(), 0.0)


class _Thread:
    """
    Runs functions one after another in a thread of its own.

    It is a daemon, which an executor's is not: a triggerer that stops must not wait for a call that is being retried.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.PriorityQueue[tuple[int, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._order = itertools.count()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, function: Callable[[], Result], *, first: bool = False) -> Result:
        future: Future[Result] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._jobs.put((0 if first else 1, next(self._order), job))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._jobs.put((2, next(self._order), None))

    def _work(self) -> None:
        while (job := self._jobs.get()[2]) is not None:
            job()
