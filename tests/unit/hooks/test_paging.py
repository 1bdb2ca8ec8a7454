# SPDX-License-Identifier: Apache-2.0
"""Lists are read page by page, as far as somebody reads them, and only from the API's own host."""

from __future__ import annotations

import json
import logging
from collections import deque
from contextlib import suppress
from itertools import islice

import pytest
import requests_mock as requests_mock_module
from hypothesis import HealthCheck, given, settings
from requests_mock import ANY

from lessonspace_provider.api import paging
from lessonspace_provider.api.paging import MOST_RESULTS
from lessonspace_provider.api.responses import LARGEST_OBJECT, LARGEST_PAGE
from lessonspace_provider.exceptions import (
    LessonspaceNotFoundError,
    LessonspaceReplyTooLargeError,
    LessonspaceServerError,
)
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.odd_items import session_fields, values
from tests.unit.hooks.known import (
    API,
    KEY,
    ORGANISATION,
    SESSION,
    SESSIONS_PATH,
    SPACE,
    SPACE_SESSIONS_PATH,
    SPACES_PATH,
    USERS_PATH,
    page,
    sent,
)

URL = API + SESSIONS_PATH


def a_session(number, **fields):
    return {"uuid": f"5b5f1a2c-3d4e-4f5a-8b9c-{number:012}", "id": number, **fields}


def a_space(number, **fields):
    return {"id": f"7d7f1a2c-3d4e-4f5a-8b9c-{number:012}", **fields}


def a_user(number, **fields):
    return {"user": {"id": number, "username": f"user {number}"}, "role": "student", **fields}


ONE, TWO, THREE, FOUR, FIVE = map(a_session, range(1, 6))
LISTS = [
    ("list_sessions", (), SESSIONS_PATH, a_session),
    ("list_space_sessions", (SPACE,), SPACE_SESSIONS_PATH, a_session),
    ("list_spaces", (), SPACES_PATH, a_space),
    ("list_users", (), USERS_PATH, a_user),
]


@pytest.fixture
def said(monkeypatch, caplog):
    """What the hook logs; Airflow's own logger of hooks is written elsewhere on each version."""
    monkeypatch.setattr(LessonspaceHook, "log", logging.getLogger("tests.hook"))
    caplog.set_level(logging.INFO)
    return caplog


def numbers(sessions):
    return [session["id"] for session in sessions]


@pytest.mark.parametrize(("operation", "arguments", "path", "make"), LISTS)
def test_all_pages_are_read_in_order_and_unknown_fields_survive(hook, requests_mock, operation, arguments, path, make):
    entries = [make(1), make(2), make(3, new={"deep": [1]}), make(4)]
    requests_mock.get(API + path, json=page(*entries[:2], following=f"{API}{path}?page=2", count=4))
    requests_mock.get(f"{API}{path}?page=2", json=page(entries[2], following=f"{API}{path}?page=3", count=4))
    requests_mock.get(f"{API}{path}?page=3", json=page(entries[3], count=4))
    listing = getattr(hook, operation)(*arguments)
    assert list(listing) == entries
    assert (listing.left_out, listing.incomplete) == ([], None)
    assert sent(requests_mock) == [("GET", path, ""), ("GET", path, "page=2"), ("GET", path, "page=3")]


@pytest.mark.parametrize(("operation", "arguments", "path", "make"), LISTS)
def test_a_bare_array_is_a_whole_list(hook, requests_mock, operation, arguments, path, make):
    requests_mock.get(API + path, json=[make(1), make(2), make(1)])
    assert list(getattr(hook, operation)(*arguments)) == [make(1), make(2)]
    assert sent(requests_mock) == [("GET", path, "")]


@pytest.mark.parametrize(("operation", "arguments", "path", "make"), LISTS)
def test_nothing_is_asked_before_someone_reads(connect, requests_mock, operation, arguments, path, make):
    getattr(connect(organisation_id=""), operation)(*arguments)
    assert not requests_mock.called


def test_no_one_reads_further_than_asked(hook, requests_mock):
    requests_mock.get(URL, json=page(ONE, TWO, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", json=page(THREE, following=f"{URL}?page=3"))
    sessions = hook.list_sessions()
    assert list(islice(sessions, 2)) == [ONE, TWO]
    assert len(sent(requests_mock)) == 1
    assert next(sessions) == THREE
    assert len(sent(requests_mock)) == 2


def test_an_empty_page_amid_a_list_does_not_end_it(hook, requests_mock):
    requests_mock.get(URL, json=page(following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", json=page(ONE))
    assert list(hook.list_sessions()) == [ONE]


def test_page_names_where_to_begin_and_reading_continues_from_there(hook, requests_mock):
    requests_mock.get(f"{URL}?page=3", json=page(THREE, following=f"{URL}?page=4"))
    requests_mock.get(f"{URL}?page=4", json=page(FOUR))
    assert list(hook.list_sessions(page=3)) == [THREE, FOUR]
    assert [query for _, _, query in sent(requests_mock)] == ["page=3", "page=4"]


def test_the_next_link_keeps_the_filters_exactly(hook, requests_mock):
    tags = "%7B%22a%22%3A+%22%22%7D"
    requests_mock.get(URL, json=page(following=f"{URL}?space=a&space=b&tags={tags}&search=&page=2"))
    requests_mock.get(f"{URL}?page=2", json=page())
    list(hook.list_sessions(space=["a", "b"], tags={"a": ""}))
    assert [query for _, _, query in sent(requests_mock)] == [
        f"space=a&space=b&tags={tags}",
        f"space=a&space=b&tags={tags}&search=&page=2",
    ]


@pytest.mark.parametrize(
    "link",
    [
        f"http://api.thelessonspace.com/v2{SESSIONS_PATH}?page=2",
        f"http://api.thelessonspace.com:8080/v2{SESSIONS_PATH}?page=2",
        f"https://somebody@API.thelessonspace.com/v2{SESSIONS_PATH}?page=2",
        f"https://api.thelessonspace.com/v2{SESSIONS_PATH.rstrip('/')}?page=2",
    ],
)
def test_a_next_link_gives_its_query_and_the_connection_all_else(hook, requests_mock, link):
    requests_mock.get(URL, json=page(following=link))
    requests_mock.get(f"{URL}?page=2", json=page(ONE))
    assert list(hook.list_sessions()) == [ONE]
    assert requests_mock.last_request.url == f"{URL}?page=2"
    assert requests_mock.last_request.headers["Authorization"] == f"Organisation {KEY}"


@pytest.mark.parametrize(
    "link",
    [
        f"https://evil.example/v2{SESSIONS_PATH}?page=2",
        f"https://api.thelessonspace.com.evil.example/v2{SESSIONS_PATH}?page=2",
        f"https://api.thelessonspace.com@evil.example/v2{SESSIONS_PATH}?page=2",
        f"//evil.example/v2{SESSIONS_PATH}?page=2",
        f"{API}{USERS_PATH}?page=2",
        f"{API}/organisations/43/sessions/?page=2",
        f"{API}{SESSIONS_PATH}../users/?page=2",
        "?page=2",
        f"/v2{SESSIONS_PATH}?page=2",
        "https://[broken/?page=2",
        "page two",
        {"href": "x"},
        7,
    ],
)
def test_a_next_link_to_another_place_is_refused(hook, requests_mock, link):
    requests_mock.get(URL, json=page(ONE, following=link))
    sessions = hook.list_sessions()
    assert next(sessions) == ONE
    with pytest.raises(LessonspaceServerError, match="next page leads to") as caught:
        next(sessions)
    assert len(sent(requests_mock)) == 1
    assert caught.value.path == SESSIONS_PATH
    assert "page=2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("links", [["?page=2", "?page=2"], ["?page=2", "?page=3", "?page=2"], [""], ["?page=2", ""]])
def test_a_list_that_leads_in_a_circle_is_an_error(hook, requests_mock, links):
    answers = [{"json": page(a_session(n), following=URL + link)} for n, link in enumerate(links)]
    requests_mock.get(URL, answers)
    with pytest.raises(LessonspaceServerError, match="a next link leads back"):
        list(islice(hook.list_sessions(), 50))
    assert len(sent(requests_mock)) == len(links)


@pytest.mark.parametrize("answer", [{"json": {"detail": "Not found."}}, {"text": "<h1>Not Found</h1>"}, {"json": []}])
def test_any_other_404_amid_a_list_is_an_error_lest_sessions_go_missing(hook, requests_mock, answer):
    requests_mock.get(URL, json=page(ONE, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", status_code=404, **answer)
    with pytest.raises(LessonspaceNotFoundError):
        list(hook.list_sessions())


def test_a_first_page_that_is_not_there_is_an_error(hook, requests_mock):
    requests_mock.get(f"{URL}?page=99", status_code=404, json={"detail": "Invalid page."})
    with pytest.raises(LessonspaceNotFoundError, match="Invalid page"):
        list(hook.list_sessions(page=99))


def test_an_error_amid_a_list_comes_after_what_was_read(hook, requests_mock):
    requests_mock.get(URL, json=page(ONE, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", status_code=500)
    sessions = hook.list_sessions()
    assert next(sessions) == ONE
    with pytest.raises(LessonspaceServerError):
        next(sessions)


@pytest.mark.parametrize(
    "body",
    ["7", "null", "{}", '{"results": null}', '{"results": {}}', '"[]"'],
)
def test_a_page_of_another_shape_is_an_error_that_names_the_path(hook, requests_mock, body):
    requests_mock.get(URL, text=body)
    with pytest.raises(LessonspaceServerError, match=f"GET /organisations/{ORGANISATION}/sessions/") as caught:
        list(hook.list_sessions())
    assert caught.value.method == "GET"
    assert caught.value.path == SESSIONS_PATH


def test_the_api_may_be_behind_a_proxy_with_a_path_of_its_own(connect, requests_mock):
    base = "https://proxy.school.example/lessonspace/api"
    requests_mock.get(base + SESSIONS_PATH, json=page(ONE, following=f"{base}{SESSIONS_PATH}?page=2"))
    requests_mock.get(f"{base}{SESSIONS_PATH}?page=2", json=page(TWO))
    assert list(connect(host=base).list_sessions()) == [ONE, TWO]


@pytest.mark.parametrize(("count", "is_read"), [(MOST_RESULTS, True), (MOST_RESULTS + 1, False)])
def test_a_page_has_at_most_so_many_results(hook, requests_mock, count, is_read):
    requests_mock.get(API + SESSIONS_PATH, json=page(*[{"uuid": SESSION}] * count))
    if is_read:
        assert next(hook.list_sessions())["uuid"] == SESSION
    else:
        with pytest.raises(LessonspaceServerError, match=f"a page of at most {MOST_RESULTS} results"):
            next(hook.list_sessions())


@pytest.mark.parametrize("size", [LARGEST_OBJECT + 1, LARGEST_PAGE + 1])
def test_a_page_may_be_larger_than_an_object(hook, requests_mock, size):
    requests_mock.get(API + SESSIONS_PATH, json=page({"uuid": SESSION, "name": "x" * size}))
    if size < LARGEST_PAGE:
        assert next(hook.list_sessions())["uuid"] == SESSION
    else:
        with pytest.raises(LessonspaceReplyTooLargeError, match="the reply is larger than 4 MB"):
            next(hook.list_sessions())


# Entries that can't be used, or not all of it


@pytest.mark.parametrize(
    ("operation", "arguments", "path", "make", "bad"),
    [
        (*LISTS[0], {"uuid": "{{ conn.lessonspace_default.password }}", "id": 12}),
        (*LISTS[0], {"uuid": "{5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c}", "id": 12}),
        (*LISTS[0], {"uuid": 12, "id": 12}),
        (*LISTS[1], {"id": 12}),
        (*LISTS[2], {"id": "{% if 1 %}", "slug": "a"}),
        (*LISTS[2], {"id": SPACE, "slug": "{{ 1 }}"}),
        (*LISTS[2], {"id": None, "name": "a"}),
        (*LISTS[3], {"user": {"id": "{{ 1 }}"}, "id": "{{ 2 }}"}),
        (*LISTS[3], {"user": {"id": True}, "id": 1.5}),
        (*LISTS[3], {"user": {"id": 0}, "id": -7}),
    ],
)
def test_an_entry_without_an_id_is_left_out_and_counted(
    hook, requests_mock, said, operation, arguments, path, make, bad
):
    requests_mock.get(API + path, json=page(make(1), bad, 7, None, make(2), count=5))
    listing = getattr(hook, operation)(*arguments)
    assert list(listing) == [make(1), make(2)]
    assert listing.left_out == [bad, {}, {}]
    assert "3 of 5" in said.text
    assert "{" not in said.text
    assert len(sent(requests_mock)) == 1


@given(fields=session_fields, uuid=values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_shape_of_one_session_hides_others_on_its_page(connect, fields, uuid):
    odd = {"uuid": uuid, **fields}
    body = f'{{"count": 3, "results": [{json.dumps(ONE)}, {unlimited(odd)}, {json.dumps(TWO)}]}}'
    with requests_mock_module.Mocker() as server:
        server.get(URL, text=body)
        read = list(connect().list_sessions())
    assert numbers(read) == [1, 2]
    json.dumps(read, allow_nan=False)


def unlimited(value):
    """Write a value as JSON, numbers of thousands of digits included, which Python writes only when it is told to."""
    with suppress(ValueError):
        return json.dumps(value)
    return json.dumps(str(value.keys()))


def test_fields_that_cannot_be_read_are_named_with_their_session(hook, requests_mock, said):
    odd = a_session(2, end_time="10:", billable_seconds="many", name="Ann {{ secret }}")
    requests_mock.get(URL, json=page(ONE, odd, count=2))
    assert list(hook.list_sessions()) == list(hook.list_sessions()) == [ONE, odd]
    assert said.text.count(f"{odd['uuid']} (end_time, billable_seconds)") == 1
    assert "Ann" not in said.text


def test_an_odd_space_and_an_odd_user_are_named(hook, requests_mock, said):
    requests_mock.get(API + SPACES_PATH, json=page(a_space(1, name=["Maths"])))
    requests_mock.get(API + USERS_PATH, json=page(a_user(7, role=1)))
    assert len(list(hook.list_spaces())) == len(list(hook.list_users())) == 1
    assert f"spaces can't be read: {a_space(1)['id']} (name)" in said.text
    assert "users can't be read: 7 (role)" in said.text


# Lists that change while they are read


class Moving:
    """A list of which entries are removed or added between two pages, as a server with pages of two would give it."""

    def __init__(self, requests_mock, entries, changes, count=len):
        self.entries = list(entries)
        self.changes = list(changes)
        self.count = count
        requests_mock.get(URL, json=self.answer)

    def answer(self, request, context):
        number = int(request.qs.get("page", ["1"])[0])
        here = self.entries[2 * number - 2 : 2 * number]
        if number > 1 and not here:
            context.status_code = 404
            return {"detail": "Invalid page."}
        following = f"{URL}?page={number + 1}" if len(self.entries) > 2 * number else None
        body = page(*here, following=following, count=self.count(self.entries))
        if self.changes:
            self.changes.pop(0)(self.entries)
        return body


def remove(*removed):
    return lambda entries: [entries.remove(entry) for entry in removed]


def nothing(entries):
    pass


def add(*added, at=0):
    return lambda entries: entries.__setitem__(slice(at, at), added)


def test_a_session_removed_between_pages_makes_no_other_be_skipped(hook, requests_mock):
    Moving(requests_mock, [ONE, TWO, THREE, FOUR, FIVE], [remove(ONE)])
    listing = hook.list_sessions()
    assert sorted(numbers(listing)) == [1, 2, 3, 4, 5]
    assert listing.incomplete is None
    assert [query for _, _, query in sent(requests_mock)] == ["", "page=2", "", "page=2"]


def test_a_list_that_lost_its_last_page_is_read_again(hook, requests_mock):
    Moving(requests_mock, [ONE, TWO, THREE, FOUR, FIVE], [nothing, remove(ONE)])
    listing = hook.list_sessions()
    assert sorted(numbers(listing)) == [1, 2, 3, 4, 5]
    assert listing.incomplete is None


def test_a_session_removed_and_another_added_is_noticed(hook, requests_mock):
    Moving(requests_mock, [TWO, THREE, FOUR, FIVE, a_session(6)], [remove(TWO), add(ONE)])
    assert sorted(numbers(hook.list_sessions())) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_sessions_added_while_reading_cost_no_second_reading(hook, requests_mock, at):
    Moving(requests_mock, [ONE, TWO, THREE, FOUR], [add(a_session(9), at=at)])
    listing = hook.list_sessions()
    assert set(numbers(listing)) >= {1, 2, 3, 4}
    assert len(sent(requests_mock)) in (2, 3)
    assert len(set(sent(requests_mock))) == len(sent(requests_mock))
    assert listing.incomplete is None


def test_a_list_that_keeps_losing_entries_is_read_three_times_and_reports_it(hook, requests_mock, said):
    entries = [a_session(number) for number in range(1, 21)]
    Moving(requests_mock, entries, [remove(entry) for entry in entries[:15]])
    listing = hook.list_sessions()
    read = numbers(listing)
    assert len(read) == len(set(read))
    assert f"GET {SESSIONS_PATH}: the list changed each time it was read, 3 times" in listing.incomplete
    assert listing.incomplete in said.text
    assert [query for _, _, query in sent(requests_mock)].count("") == 3


@pytest.mark.parametrize("count", [lambda entries: len(entries) + 7, lambda entries: 10**12])
def test_a_count_that_is_wrong_for_ever_costs_one_reading_more_of_the_first_list_only(hook, requests_mock, said, count):
    Moving(requests_mock, [ONE, TWO, THREE], [], count)
    listing = hook.list_sessions()
    assert numbers(listing) == [1, 2, 3]
    assert listing.incomplete is None
    assert len(sent(requests_mock)) == 4
    assert "count is wrong: 3 entries" in said.text
    assert numbers(hook.list_sessions()) == [1, 2, 3]
    assert len(sent(requests_mock)) == 6


@pytest.mark.parametrize("count", [None, "3", -1, True, 2.5, {}, 0, 1])
def test_a_count_that_is_none_or_too_low_costs_nothing(hook, requests_mock, count):
    Moving(requests_mock, [ONE, TWO, THREE], [], lambda _: count)
    assert numbers(hook.list_sessions()) == [1, 2, 3]
    assert len(sent(requests_mock)) == 2


def test_a_last_link_to_no_page_costs_one_reading_more_of_the_first_list_only(hook, requests_mock):
    requests_mock.get(URL, json=page(ONE, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", status_code=404, json={"detail": "Invalid page."})
    assert list(hook.list_sessions()) == [ONE]
    assert len(sent(requests_mock)) == 4
    assert list(hook.list_sessions()) == [ONE]
    assert len(sent(requests_mock)) == 6


def test_a_list_read_from_a_later_page_is_not_compared_with_its_count(hook, requests_mock):
    Moving(requests_mock, [ONE, TWO, THREE, FOUR, FIVE], [])
    assert numbers(hook.list_sessions(page=2)) == [3, 4, 5]
    assert len(sent(requests_mock)) == 2


# Lists without an end


def endless(requests_mock, entries_of, count):
    def answer(request, context):
        number = int(request.qs.get("page", ["1"])[0])
        return page(*entries_of(number), following=f"{URL}?page={number + 1}", count=count)

    requests_mock.get(URL, json=answer)


@pytest.mark.parametrize("count", [1, None, 0, 10**9])
@pytest.mark.parametrize(
    "entries_of",
    [
        pytest.param(lambda number: [], id="empty pages"),
        pytest.param(lambda number: [ONE, TWO], id="the same entries"),
        pytest.param(lambda number: [{"uuid": "x"}], id="entries without ids"),
        pytest.param(lambda number: [a_session(number)], id="ever new entries"),
    ],
)
def test_a_list_without_an_end_is_an_error_that_names_it(hook, requests_mock, monkeypatch, entries_of, count):
    monkeypatch.setattr(paging, "MOST_PAGES", 300)
    endless(requests_mock, entries_of, count)
    with pytest.raises(LessonspaceServerError, match=f"GET {SESSIONS_PATH}: .*a list that ends"):
        deque(hook.list_sessions(), maxlen=0)
    assert len(sent(requests_mock)) <= 300


def test_a_list_of_too_many_entries_is_an_error(hook, requests_mock, monkeypatch):
    monkeypatch.setattr(paging, "MOST_ITEMS", 4)
    requests_mock.get(URL, json=[ONE, TWO, THREE, FOUR])
    assert len(list(hook.list_sessions())) == 4
    requests_mock.get(URL, json=[ONE, TWO, THREE, FOUR, FIVE])
    with pytest.raises(LessonspaceServerError, match="5 entries"):
        list(hook.list_sessions())


def test_entries_without_ids_are_held_up_to_a_bound(hook, requests_mock, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.api.paging.MOST_VALUES", 1000)
    large = {"name": [[]] * 300}
    requests_mock.get(ANY, [{"json": page(large, following=f"{URL}?page={number}")} for number in range(2, 9)])
    with pytest.raises(LessonspaceServerError, match="sessions with ids"):
        list(hook.list_sessions())
    assert len(requests_mock.request_history) == 4
