# SPDX-License-Identifier: Apache-2.0
"""
Tests against the live API what this provider takes for true of it.

Usage: python -m lessonspace_provider.live_check [--conn-id lessonspace_default] [--write]

The connection is read from the environment (``AIRFLOW_CONN_LESSONSPACE_DEFAULT``). Makes at most one request a second.
Reads only, unless ``--write`` is given: then it launches one space, called ``live-check-`` and the time, which stays,
and with it perhaps a user called Live check. Prints a line per assumption as it is found, with counts and statuses in
it, and nothing of people, spaces, sessions, links or keys.
Exit status: 0 if none was seen not to hold, 1 if one was, 2 if nothing could be checked or it was interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from lessonspace_provider.api.ids import user_id_of
from lessonspace_provider.api.paging import PAGE_PAST_THE_END
from lessonspace_provider.exceptions import PASSING_ERRORS, LessonspaceError
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.live_check.assumptions import ASSUMPTIONS, READ_ONLY, UNTESTABLE, WRITING, Assumption
from lessonspace_provider.operators.spaces import space_page
from lessonspace_provider.sessions import end_time, objects_in, participant_count, space_of, start_time
from lessonspace_provider.waiting.awaited import LONGEST_SESSION
from lessonspace_provider.waiting.transcripts import SHORTEST_TRANSCRIBED, transcript_obstacle

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Launch, Session

Json = Mapping[str, object]
Verdict = Literal["holds", "does not hold", "could not be checked"]

#: A connection as an environment variable.
EXAMPLE = '{"conn_type": "lessonspace", "password": "<API key>"}'

REQUESTS_PER_SECOND = 1.0

#: Seconds at most that a call is waited for and tried again: a person sits before it.
LONGEST_WAIT = 60.0

#: What a page far past the end of any list is called.
NO_SUCH_PAGE = "1000000"

#: Statuses that say nothing about an assumption: the key may not, or not now, or the server has a fault.
NO_ANSWERS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)

#: How many sessions at most are asked for a transcript or a recording.
MOST_TRIES = 5

EVERYBODY = ("include_single_user", "true")


@dataclass(frozen=True)
class Finding:
    """
    What a check found.

    :param note: counts and statuses only, never anything that the API sent as text.
    """

    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, repr=False)
class Got:
    """
    An answer, good or not. It has no repr of its fields, since the body may hold secrets.

    :param body: its JSON; None when the status is no 2xx.
    :param said: the hook's error when the status is no 2xx; it may hold the server's own words.
    """

    status: int | None
    body: object = None
    said: str = ""

    @property
    def fields(self) -> Json:
        """The body, when it is an object."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def results(self) -> list[dict[str, object]]:
        """The objects on a page of a list, or in a bare array."""
        return objects_in(self.fields.get("results", self.body))

    @property
    def sessions(self) -> list[Session]:
        """The same, of a list of sessions."""
        return cast("list[Session]", self.results)


def finding(*, holds: bool, note: str = "") -> Finding:
    """Give the verdict on what could be seen."""
    return Finding("holds" if holds else "does not hold", note)


def all_of(entries: Iterable[object], what: str) -> Finding:
    """Give the verdict when each entry says whether it is as assumed."""
    seen = list(entries)
    if not seen:
        return Finding("could not be checked", f"there are no {what}")
    return finding(holds=all(seen), note=f"{sum(map(bool, seen))} of {len(seen)} {what}")


class QuietHook(LessonspaceHook):
    """Logs with a logger of this package: Airflow's for hooks writes lines about retries, which name sessions."""

    @property
    def log(self) -> Any:
        """The logger that ``_without_warnings`` silences."""
        # By name: run with -m, this module is called __main__.
        return logging.getLogger("lessonspace_provider.live_check")


class Account:
    """
    The account as it is seen from outside; what several checks need is asked for once.

    :param hook: whose connection is used.
    :raises LessonspaceAuthError: when it may not list sessions, so that nothing can be checked with it.
    """

    def __init__(self, hook: LessonspaceHook) -> None:
        own = hook.settings
        hook.settings = replace(
            own,
            rate_limit_per_second=min(own.rate_limit_per_second or REQUESTS_PER_SECOND, REQUESTS_PER_SECOND),
            rate_limit_max_wait=min(own.rate_limit_max_wait, LONGEST_WAIT),
        )
        self.hook = hook
        self.organisation = f"/organisations/{hook.organisation_id}"
        with suppress(*PASSING_ERRORS):
            _ = self.page

    def ask(self, path: str, *query: tuple[str, str], body: Json | None = None) -> Got:
        """
        Make a call; a status that is no 2xx is an answer as well, such as 404.

        :raises LessonspaceError: when there was no answer, or one that says nothing: see ``NO_ANSWERS``, and 5xx.
        """
        method = "GET" if body is None else "POST"
        try:
            answer = self.hook.get_conn().call(method, path, query=query, body=body)
        except LessonspaceError as error:
            if error.status is None or error.status in NO_ANSWERS or error.status >= 500:
                raise
            return Got(error.status, said=str(error))
        return Got(answer.status, answer.body)

    def sessions_with(self, *query: tuple[str, str]) -> Got:
        """Ask for the first page of sessions, those of one person included."""
        return self.ask(f"{self.organisation}/sessions/", EVERYBODY, *query)

    @cached_property
    def page(self) -> Got:
        """The first page of all sessions."""
        return self.sessions_with()

    @cached_property
    def running(self) -> list[Session]:
        """Sessions in progress."""
        return self.sessions_with(("in_progress_only", "true")).sessions

    @property
    def ended(self) -> list[Session]:
        """Sessions on the first page that have ended."""
        return [session for session in self.page.sessions if end_time(session)]

    @cached_property
    def slug(self) -> str | None:
        """The slug of the space that most sessions of the first page were held in."""
        slugs = [str(space_of(session).get("slug")) for session in self.page.sessions if space_of(session).get("slug")]
        return max(slugs, key=slugs.count, default=None)

    @cached_property
    def space_page(self) -> Got:
        """The first page of that space's own list."""
        return self.ask(f"/spaces/{quote(self.slug or '', safe='')}/sessions/", EVERYBODY)

    @cached_property
    def transcript(self) -> tuple[Session, Got] | None:
        """A session and the answer about its transcript, which is there; None when none was found."""
        for session in [s for s in self.ended if transcript_obstacle(s) is None][:MOST_TRIES]:
            answer = self.ask(f"{self.organisation}/sessions/{session.get('uuid')}/transcript/")
            if answer.status == 200:
                return session, answer
        return None


def users_of(session: Session) -> list[object]:
    """Give ``user`` of each profile."""
    return [profile.get("user") for profile in objects_in(session.get("profiles"))]


def is_integer(value: object) -> bool:
    """Whether a value is a JSON integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_filled(value: object) -> bool:
    """Whether a value is text with something in it."""
    return isinstance(value, str) and bool(value)


def hello(account: Account) -> Finding:
    """Check ``hello``."""
    answer = account.ask("/hello/")
    return finding(holds=is_filled(answer.fields.get("response")), note=f"status {answer.status}")


def own_organisation(account: Account) -> Finding:
    """Check ``own-organisation``."""
    answer = account.ask("/my-organisation/")
    return finding(holds=is_integer(answer.fields.get("id")), note=f"status {answer.status}")


def pages(account: Account) -> Finding:
    """Check ``pages``."""
    fields = account.page.fields
    named = [name for name in ("count", "next", "previous", "results") if name in fields]
    if len(named) < 4:
        return finding(holds=False, note=f"status {account.page.status}, {len(named)} of the 4 fields")
    link = fields["next"]
    if link is None:
        return finding(holds=True, note="there is one page only")
    try:
        account.hook.get_conn().query_of_next_page(str(link), f"{account.organisation}/sessions/")
    except LessonspaceError:
        return finding(holds=False, note="next leads elsewhere")
    return finding(holds=True)


def page_past_end(account: Account) -> Finding:
    """Check ``page-past-end``."""
    answer = account.sessions_with(("page", NO_SUCH_PAGE))
    is_named = PAGE_PAST_THE_END in answer.said
    return finding(
        holds=answer.status == 404 and is_named,
        note=f"status {answer.status}, {'called so' if is_named else 'called otherwise'}",
    )


def unknown_filter(account: Account) -> Finding:
    """Check ``unknown-filter``."""
    counts = [account.page.fields.get("count")]
    answer = account.sessions_with(("lessonspace_provider_live_check", "true"))
    if answer.fields.get("count") not in counts:  # a session may have begun meanwhile
        counts.append(account.sessions_with().fields.get("count"))
    is_same = answer.fields.get("count") in counts
    return finding(holds=answer.status == HTTPStatus.OK and is_same, note=f"status {answer.status}")


def uuid_in_urls(account: Account) -> Finding:
    """Check ``uuid-in-urls``."""
    uuids = [session.get("uuid") for session in account.page.sessions[:1]]
    return all_of(
        [
            is_filled(uuid) and account.ask(f"{account.organisation}/sessions/{uuid}/").fields.get("uuid") == uuid
            for uuid in uuids
        ],
        "sessions",
    )


def integer_id(account: Account) -> Finding:
    """Check ``integer-id``."""
    numbers = [session.get("id") for session in account.page.sessions[:1]]
    if not all(map(is_integer, numbers)):
        return Finding("could not be checked", "sessions have no integer id")
    return all_of(
        [account.ask(f"{account.organisation}/sessions/{number}/").status == 404 for number in numbers], "sessions"
    )


def space_in_session(account: Account) -> Finding:
    """Check ``space-in-session``."""
    spaces = [space_of(session) for session in account.page.sessions]
    return all_of([is_filled(space.get("id")) and is_filled(space.get("slug")) for space in spaces], "sessions")


def running_has_no_end(account: Account) -> Finding:
    """Check ``running-has-no-end``."""
    return all_of([session.get("end_time") is None for session in account.running], "running sessions")


def end_filter(account: Account) -> Finding:
    """Check ``end-filter``."""
    since = median_of(end_time(session) for session in account.ended)
    if since is None:
        return Finding("could not be checked", "no session has ended")
    answer = account.sessions_with(("end_time_after", since.isoformat()))
    lost = left_out(answer, [s for s in account.ended if cast("datetime", end_time(s)) > since])
    if lost:
        return finding(holds=False, note=f"{lost} that ended since then are left out")
    return all_of(
        [(end_time(session) or datetime.min.replace(tzinfo=timezone.utc)) >= since for session in answer.sessions],
        "found",
    )


def start_filter(account: Account) -> Finding:
    """Check ``start-filter``."""
    middle = median_of(start_time(session) for session in account.page.sessions)
    if middle is None:
        return Finding("could not be checked", "there are no sessions")
    before = account.sessions_with(("start_time_before", middle.isoformat()))
    after = account.sessions_with(("start_time_after", middle.isoformat()))
    known = [(start, session) for session in account.page.sessions if (start := start_time(session))]
    lost = left_out(before, [session for start, session in known if start < middle])
    lost += left_out(after, [session for start, session in known if start > middle])
    if lost:
        return finding(holds=False, note=f"{lost} that belong there are left out")
    starts_before = [start_time(session) for session in before.sessions]
    starts_after = [start_time(session) for session in after.sessions]
    return all_of(
        [
            *(start is not None and start <= middle for start in starts_before),
            *(start is not None and start >= middle for start in starts_after),
        ],
        "found",
    )


def left_out(answer: Got, wanted: Iterable[Json]) -> int:
    """Count the sessions that belong on a list and are not there; none where the list goes on on another page."""
    if answer.fields.get("next") is not None:
        return 0
    listed = {session.get("uuid") for session in answer.sessions}
    return len({session.get("uuid") for session in wanted} - listed)


def median_of(times: Iterable[datetime | None]) -> datetime | None:
    """Give the one in the middle."""
    known = sorted(time for time in times if time is not None)
    return known[len(known) // 2] if known else None


def single_user(account: Account) -> Finding:
    """Check ``single-user``."""
    if not [s for s in account.page.sessions if participant_count(s) == 1]:
        return Finding("could not be checked", "no session of one person is on the first page")
    without = account.ask(f"{account.organisation}/sessions/").sessions
    return all_of(
        [participant_count(session) > 1 for session in without], "sessions listed without it have more people"
    )


def several_values(account: Account) -> Finding:
    """Check ``several-values``."""
    spaces = list(dict.fromkeys(str(space_of(s)["id"]) for s in account.page.sessions if space_of(s).get("id")))[:2]
    if len(spaces) < 2:
        return Finding("could not be checked", "only one space is on the first page")
    counts = [account.sessions_with(("space", space)).fields.get("count") for space in spaces]
    both = account.sessions_with(*(("space", space) for space in spaces)).fields.get("count")
    if not all(is_integer(count) for count in (*counts, both)):
        return finding(holds=False, note="a list has no count")
    return finding(holds=both == sum(cast("list[int]", counts)), note=f"{both} of {counts[0]} and {counts[1]}")


def slug_names_space(account: Account) -> Finding:
    """Check ``slug-names-space``."""
    if account.slug is None:
        return Finding("could not be checked", "there are no sessions with a slug")
    filtered = account.sessions_with(("space", account.slug)).sessions
    is_found = bool(filtered) and all(space_of(session).get("slug") == account.slug for session in filtered)
    return finding(
        holds=is_found and account.space_page.status == 200,
        note=f"{len(filtered)} sessions by ?space=, status {account.space_page.status} of the space's list",
    )


def logs_in_space_list(account: Account) -> Finding:
    """Check ``logs-in-space-list``."""
    if account.slug is None or not account.space_page.sessions:
        return Finding("could not be checked", "no space's list was found")
    good = []
    for session in account.space_page.sessions:
        logs = session.get("logs")
        if not isinstance(logs, list):
            return finding(holds=False, note="there are no logs")
        known = {str(user) for user in users_of(session)}
        people = [log.get("profile") for log in logs if isinstance(log, dict) and log.get("profile") is not None]
        good += [str(person) in known for person in people]
    return all_of(good, "lines of logs")


def one_at_a_time(account: Account) -> Finding:
    """Check ``one-at-a-time``."""
    sessions = [s for s in account.space_page.sessions if start_time(s) and end_time(s)] if account.slug else []
    held = sorted((cast("datetime", start_time(s)), cast("datetime", end_time(s))) for s in sessions)
    return all_of([later[0] >= earlier[1] for earlier, later in zip(held, held[1:])], "sessions after another one")


def half_a_day(account: Account) -> Finding:
    """Check ``half-a-day``."""
    spans = [(start_time(session), end_time(session)) for session in account.ended]
    return all_of([start and end and end - start <= LONGEST_SESSION for start, end in spans], "ended sessions")


def profile_users(account: Account) -> Finding:
    """Check ``profile-users``."""
    return all_of([is_integer(user) for session in account.page.sessions for user in users_of(session)], "profiles")


def billable(account: Account) -> Finding:
    """Check ``billable``."""
    seconds = [session.get("billable_seconds") for session in account.page.sessions]
    return all_of([value is None or is_integer(value) for value in seconds], "sessions")


def transcript_link(account: Account) -> Finding:
    """Check ``transcript-link``."""
    if account.transcript is None:
        return Finding("could not be checked", "none of the sessions that were asked for has a transcript")
    return finding(holds=is_filled(account.transcript[1].fields.get("transcriptionUrl")))


def transcript_file(account: Account) -> Finding:
    """Check ``transcript-file``."""
    if account.transcript is None:
        return Finding("could not be checked", "none of the sessions that were asked for has a transcript")
    try:
        segments = account.hook.get_transcript(str(account.transcript[0].get("uuid")))
    except LessonspaceError as error:
        return finding(holds=False, note=f"{type(error).__name__}, status {error.status}")
    return all_of([is_segment(segment) for segment in segments], "segments")


def is_segment(segment: object) -> bool:
    """Whether a segment is as the provider reads it."""
    if not isinstance(segment, dict):
        return False
    times = [segment.get("start_time"), segment.get("end_time")]
    user = segment.get("user")
    return (
        all(isinstance(time, (int, float)) and not isinstance(time, bool) for time in times)
        and isinstance(user, dict)
        and is_integer(user.get("id"))
        and isinstance(segment.get("text"), str)
    )


def one_person_no_transcript(account: Account) -> Finding:
    """Check ``one-person-no-transcript``."""
    alone = [session for session in account.ended if participant_count(session) == 1]
    return none_has_a_transcript(account, alone, "sessions of one person")


def short_no_transcript(account: Account) -> Finding:
    """Check ``short-no-transcript``, with the longest of the short ones first."""
    longest = SHORTEST_TRANSCRIBED.total_seconds()
    listed = account.sessions_with(("duration_max", f"{longest:.0f}")).sessions
    short = [
        (end - start, session)
        for session in listed
        if participant_count(session) > 1 and (start := start_time(session)) and (end := end_time(session))
    ]
    short.sort(key=lambda pair: pair[0], reverse=True)
    return none_has_a_transcript(
        account, [session for length, session in short if length <= SHORTEST_TRANSCRIBED], "short sessions"
    )


def none_has_a_transcript(account: Account, sessions: list[Session], what: str) -> Finding:
    """Give the verdict when sessions are taken for ones without a transcript."""
    tried = sessions[:MOST_TRIES]
    return all_of(
        [account.ask(f"{account.organisation}/sessions/{s.get('uuid')}/transcript/").status == 404 for s in tried], what
    )


def recording_link(account: Account) -> Finding:
    """Check ``recording-link``."""
    answers = [account.ask(f"/sessions/{s.get('uuid')}/playback/") for s in account.ended[:MOST_TRIES]]
    good = [is_filled(a.fields.get("recording_url")) if a.status == 200 else a.status == 404 for a in answers]
    if good and all(good) and not any(answer.status == 200 for answer in answers):
        return Finding("could not be checked", f"{len(answers)} sessions have no recording")
    return all_of(good, "sessions")


def space_list(account: Account) -> Finding:
    """Check ``space-list``."""
    listed = account.ask(f"{account.organisation}/spaces/").results
    return all_of([is_filled(space.get("id")) and is_filled(space.get("slug")) for space in listed], "spaces")


def user_list(account: Account) -> Finding:
    """Check ``user-list``."""
    listed = account.ask(f"{account.organisation}/users/").results
    nested = sum(isinstance(user.get("user"), dict) for user in listed)
    shape = "users with user.id" if nested == len(listed) else f"users, {nested} of them with user.id"
    return all_of([user_id_of(user) is not None for user in listed], shape if listed else "users")


CHECKS: dict[str, Callable[[Account], Finding]] = {
    "hello": hello,
    "own-organisation": own_organisation,
    "pages": pages,
    "page-past-end": page_past_end,
    "unknown-filter": unknown_filter,
    "uuid-in-urls": uuid_in_urls,
    "integer-id": integer_id,
    "space-in-session": space_in_session,
    "running-has-no-end": running_has_no_end,
    "end-filter": end_filter,
    "start-filter": start_filter,
    "single-user": single_user,
    "several-values": several_values,
    "slug-names-space": slug_names_space,
    "logs-in-space-list": logs_in_space_list,
    "one-at-a-time": one_at_a_time,
    "half-a-day": half_a_day,
    "profile-users": profile_users,
    "billable": billable,
    "transcript-link": transcript_link,
    "transcript-file": transcript_file,
    "one-person-no-transcript": one_person_no_transcript,
    "short-no-transcript": short_no_transcript,
    "recording-link": recording_link,
    "space-list": space_list,
    "user-list": user_list,
}


def check_launch(account: Account) -> dict[str, Finding]:
    """Launch one space twice, and check all that needs a launch."""
    body = {
        "id": f"live-check-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}",
        "user": {"name": "Live check", "role": "teacher"},
        "timeouts": {"not_after": (datetime.now(timezone.utc) + timedelta(minutes=5)).isoformat()},
    }
    first, second = (account.ask("/spaces/launch/", body=body) for _ in range(2))
    reserved = account.ask(f"{account.organisation}/sessions/{first.fields.get('session_id')}/")
    room = first.fields.get("room_id")
    return {
        "launch-created": finding(
            holds=(first.status, second.status) == (201, 200), note=f"status {first.status}, then {second.status}"
        ),
        "same-room": finding(holds=is_filled(room) and room == second.fields.get("room_id")),
        "space-page": finding(holds=space_page(cast("Launch", first.fields)) is not None),
        "reserved-session": finding(holds=reserved.status == 404, note=f"status {reserved.status}"),
    }


def check(account: Account, *, write: bool) -> Iterator[tuple[Assumption, Finding]]:
    """
    Check all assumptions, in their order, each when the one before it has been read.

    :param write: launch a space too.
    """
    for assumption in READ_ONLY:
        yield assumption, _safely(CHECKS[assumption.name], account)
    launched = _launch_safely(account) if write else {}
    for assumption in WRITING:
        yield assumption, launched.get(assumption.name, Finding("could not be checked", "needs --write"))
    for assumption in UNTESTABLE:
        yield assumption, Finding("could not be checked", assumption.why_untested or "")


def _safely(function: Callable[[Account], Finding], account: Account) -> Finding:
    """Check; what the API sent and a check can't make sense of is not as assumed."""
    try:
        return function(account)
    except LessonspaceError as error:
        return _unanswered(error)
    except Exception as error:
        return Finding("does not hold", f"{type(error).__name__} while checking")


def _launch_safely(account: Account) -> dict[str, Finding]:
    """Launch; what was found before a launch that fails is not lost with it."""
    try:
        return check_launch(account)
    except LessonspaceError as error:
        return {assumption.name: _unanswered(error) for assumption in WRITING}


def _unanswered(error: LessonspaceError) -> Finding:
    return Finding("could not be checked", f"no answer: {type(error).__name__}, status {error.status}")


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep lines about retries, which name sessions, out of the output; ``QuietHook`` writes them here."""
    logger = logging.getLogger("lessonspace_provider")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def no_connection(conn_id: str, environment: Mapping[str, str]) -> str:
    """
    Describe how to give the connection that was not found.

    :param conn_id: its id.
    :param environment: of this process.
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if environment.get(variable):
        return (
            f"{variable} is set, but Airflow can't read it: it must be JSON, with single quotes around the "
            f"whole, such as {variable}='{EXAMPLE}'."
        )
    return (
        f"there is no connection {conn_id!r}. Outside of tasks, Airflow does not give out the connections of its "
        f"database: set one in the environment, with your API key, and run this again.\n\n"
        f"  export {variable}='{EXAMPLE}'\n"
        f"  python -m lessonspace_provider.live_check --conn-id {shlex.quote(conn_id)}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Check, and print a line for each assumption."""
    parser = argparse.ArgumentParser(
        prog="python -m lessonspace_provider.live_check",
        description="Tests against the live API what this provider assumes of it. Reads only, unless --write is given.",
        epilog=f"The connection is read from the environment: AIRFLOW_CONN_LESSONSPACE_DEFAULT='{EXAMPLE}'",
    )
    parser.add_argument("--conn-id", default="lessonspace_default", help="the Airflow connection to use")
    parser.add_argument("--write", action="store_true", help="launch a space too")
    options = parser.parse_args(arguments)
    verdicts: list[Verdict] = []
    try:
        with _without_warnings():
            for assumption, finding in check(Account(QuietHook(options.conn_id)), write=options.write):
                verdicts.append(finding.verdict)
                note = f" ({finding.note})" if finding.note else ""
                print(f"{finding.verdict:17}  {assumption.name}: {assumption.claim}{note}", flush=True)
    except LessonspaceError as error:
        print(f"Nothing was checked: {error}")
        return 2
    except AirflowNotFoundException:
        print(f"Nothing was checked: {no_connection(options.conn_id, os.environ)}")
        return 2
    except KeyboardInterrupt:
        print(f"Stopped: {len(verdicts)} of {len(ASSUMPTIONS)} assumptions were looked at.")
        return 2
    return int("does not hold" in verdicts)


if __name__ == "__main__":
    raise SystemExit(main())
