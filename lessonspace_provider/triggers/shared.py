# SPDX-License-Identifier: Apache-2.0
"""
What all triggers of one connection share in a triggerer: a hook, the one thread it runs in, and one poll.

The poll lists the sessions that ended since it last looked, and tells everybody who waits. It goes by the ends that
the API names, not by this machine's clock, and looks back a little further than the newest of them.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.sessions import end_time
from lessonspace_provider.waiting import OVERLAP, EndedSessions

if TYPE_CHECKING:
    from lessonspace_provider.api_types import Session
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

Result = TypeVar("Result")

#: How many looks in a row may fail; each of them was tried again by the hook for as long as the connection allows.
FAILURES_ALLOWED = 10

#: Seconds after which one who waits asks for itself, should the list have missed something. Only one does so every
#: second poll, or a thousand who wait would cost as much as a thousand polls.
CONFIRM_AFTER = 600.0
POLLS_PER_CONFIRMATION = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """
    What a poll found.

    :param ended: the sessions that ended lately; the same one is told several times.
    :param is_turn: whether the one who reads this is to ask for itself.
    """

    ended: EndedSessions
    is_turn: bool


@dataclass(eq=False)
class Subscription:
    """
    One who listens to the poll.

    :param interval: seconds between two polls; of all who listen, the shortest holds.
    :param confirmed_at: the loop's time of the last look of its own.
    :param failures: how many polls in a row have failed since it listens.
    """

    interval: float
    confirmed_at: float
    failures: int = 0
    _news: asyncio.Queue[News | LessonspaceError] = field(default_factory=asyncio.Queue)

    def tell(self, news: News | LessonspaceError) -> None:
        """Leave it what was found, or why nothing can be found."""
        self._news.put_nowait(news)

    async def next(self) -> News:
        """
        Wait for the next poll.

        :raises LessonspaceError: when ``FAILURES_ALLOWED`` polls in a row failed.
        """
        news = await self._news.get()
        if isinstance(news, LessonspaceError):
            raise news
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

    async def call(self, function: Callable[[LessonspaceHook], Result]) -> Result:
        """
        Run a function of the hook in the connection's own thread, so that the event loop goes on.

        :raises LessonspaceError: what the function raised, or that the connection can't be read.
        """
        async with self._loading:  # or a hundred who begin at once would each load one
            hook = self._hook = self._hook or await _loaded_hook(self._conn_id)
        try:
            return await self._thread.run(lambda: function(hook))
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


_shared: dict[tuple[asyncio.AbstractEventLoop, str], SharedConnection] = {}


@asynccontextmanager
async def shared_connection(conn_id: str) -> AsyncIterator[SharedConnection]:
    """
    Join those who use a connection in this event loop; the last one who leaves closes it.

    :param conn_id: the connection's id.
    """
    key = (asyncio.get_running_loop(), conn_id)
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


async def _loaded_hook(conn_id: str) -> LessonspaceHook:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

    hook = LessonspaceHook(conn_id)
    try:
        await hook.load_settings()
    except LessonspaceError:
        raise
    except Exception as error:
        raise LessonspaceError(
            f"Connection {conn_id!r} can't be read ({type(error).__name__}): check that the triggerer knows it."
        ) from None
    return hook


class _Poll:
    """Lists the sessions that ended, as long as anybody listens."""

    def __init__(self, connection: SharedConnection) -> None:
        self._connection = connection
        self._subscriptions: deque[Subscription] = deque()
        self._look_from: datetime | None = None
        self._joined = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._subscriptions)

    def join(self, since: datetime, interval: float) -> Subscription:
        subscription = Subscription(interval, asyncio.get_running_loop().time())
        self._subscriptions.append(subscription)
        self._look_from = min(self._look_from or since, since - OVERLAP)
        self._joined.set()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._task.cancel()

    async def _run(self) -> None:
        polls = 0
        while True:
            # Whoever joins during a poll may need what lies further back than this one looks.
            listeners = list(self._subscriptions)
            try:
                ended = await self._look()
            except Exception as error:
                self._tell_failure(listeners, as_lessonspace_error(error))
            else:
                polls += 1
                self._tell(listeners, ended, polls)
            await self._rest()

    async def _look(self) -> EndedSessions:
        look_from, self._look_from = self._look_from or now(), None
        try:
            ended, newest = await self._connection.call(lambda hook: _list_ended(hook, look_from))
        except BaseException:
            self._look_from = min(self._look_from or look_from, look_from)
            raise
        # An end in the future, by whatever mistake, must not hide all that come before it.
        newest = min(newest or look_from, now())
        following = max(look_from, newest - OVERLAP)
        self._look_from = min(self._look_from or following, following)
        return ended

    def _tell(self, listeners: list[Subscription], ended: EndedSessions, polls: int) -> None:
        chosen = self._whose_turn() if polls % POLLS_PER_CONFIRMATION == 0 else None
        for subscription in listeners:
            subscription.failures = 0
            subscription.tell(News(ended, is_turn=subscription is chosen))

    def _tell_failure(self, listeners: list[Subscription], error: LessonspaceError) -> None:
        _log.warning("Looking for ended sessions failed, next try in a while: %s", error)
        for subscription in listeners:
            subscription.failures += 1
            if subscription.failures == FAILURES_ALLOWED:
                subscription.tell(error)

    def _whose_turn(self) -> Subscription | None:
        now = asyncio.get_running_loop().time()
        first = self._subscriptions[0]
        if now - first.confirmed_at < CONFIRM_AFTER:
            return None
        first.confirmed_at = now
        self._subscriptions.rotate(-1)
        return first

    async def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (left := began + min(s.interval for s in self._subscriptions) - loop.time()) > 0:
            self._joined.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._joined.wait(), left)


def _list_ended(hook: LessonspaceHook, since: datetime) -> tuple[EndedSessions, datetime | None]:
    """List what ended since then, with the newest end; a session that can't be read must not stop the others."""
    sessions: list[Session] = []
    ends: list[datetime] = []
    for session in hook.list_sessions(end_time_after=since, include_single_user=True):
        try:
            end = end_time(session)
        except LessonspaceError as error:
            _log.warning("%s", error)
            continue
        if end is not None and isinstance(session.get("uuid"), str):
            sessions.append(session)
            ends.append(end)
    return EndedSessions(sessions), max(ends, default=None)


def as_lessonspace_error(error: Exception) -> LessonspaceError:
    """Name an unexpected error by its kind alone: its text may hold what no event and no log line should."""
    if isinstance(error, LessonspaceError):
        return error
    _log.error("An unexpected error in a trigger", exc_info=error)
    return LessonspaceError(f"{type(error).__name__} while waiting for Lessonspace: look into the triggerer's log.")


def now() -> datetime:
    """Give the present, aware."""
    return datetime.now(timezone.utc)


def from_epoch(seconds: float | None) -> datetime | None:
    """Read a trigger's keyword: epoch seconds, since a trigger's keywords have to be JSON."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


class _Thread:
    """
    Runs functions one after another in a thread of its own.

    It is a daemon, which an executor's is not: a triggerer that stops must not wait for a call that is being retried.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, function: Callable[[], Result]) -> Result:
        future: Future[Result] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._jobs.put(job)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
