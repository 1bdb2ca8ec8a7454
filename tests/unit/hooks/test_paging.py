# SPDX-License-Identifier: Apache-2.0
"""Lists are read page by page, as far as somebody reads them, and only from the API's own host."""

from __future__ import annotations

from itertools import islice

import pytest

from lessonspace_provider.exceptions import (
    LessonspaceNotFoundError,
    LessonspaceReplyTooLargeError,
    LessonspaceServerError,
)
from lessonspace_provider.hooks.bodies import LARGEST_OBJECT, LARGEST_PAGE
from lessonspace_provider.hooks.lessonspace import MOST_RESULTS
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
LISTS = [
    ("list_sessions", (), SESSIONS_PATH),
    ("list_space_sessions", (SPACE,), SPACE_SESSIONS_PATH),
    ("list_spaces", (), SPACES_PATH),
    ("list_users", (), USERS_PATH),
]


@pytest.mark.parametrize(("operation", "arguments", "path"), LISTS)
def test_all_pages_are_read_in_order_and_unknown_fields_survive(hook, requests_mock, operation, arguments, path):
    requests_mock.get(API + path, json=page({"n": 1}, {"n": 2}, following=f"{API}{path}?page=2"))
    requests_mock.get(f"{API}{path}?page=2", json=page({"n": 3, "new": {"deep": [1]}}, following=f"{API}{path}?page=3"))
    requests_mock.get(f"{API}{path}?page=3", json=page({"n": 4}))
    assert list(getattr(hook, operation)(*arguments)) == [{"n": 1}, {"n": 2}, {"n": 3, "new": {"deep": [1]}}, {"n": 4}]
    assert sent(requests_mock) == [("GET", path, ""), ("GET", path, "page=2"), ("GET", path, "page=3")]


@pytest.mark.parametrize(("operation", "arguments", "path"), LISTS)
def test_nothing_is_asked_before_somebody_reads(connect, requests_mock, operation, arguments, path):
    getattr(connect(organisation_id=""), operation)(*arguments)
    assert not requests_mock.called


def test_nobody_reads_further_than_asked(hook, requests_mock):
    requests_mock.get(URL, json=page({"n": 1}, {"n": 2}, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", json=page({"n": 3}, following=f"{URL}?page=3"))
    sessions = hook.list_sessions()
    assert list(islice(sessions, 2)) == [{"n": 1}, {"n": 2}]
    assert len(sent(requests_mock)) == 1
    assert next(sessions) == {"n": 3}
    assert len(sent(requests_mock)) == 2


def test_an_empty_page_amid_a_list_does_not_end_it(hook, requests_mock):
    requests_mock.get(URL, json=page(following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", json=page({"n": 1}))
    assert list(hook.list_sessions()) == [{"n": 1}]


def test_page_says_where_to_begin_and_reading_goes_on_from_there(hook, requests_mock):
    requests_mock.get(f"{URL}?page=3", json=page({"n": 3}, following=f"{URL}?page=4"))
    requests_mock.get(f"{URL}?page=4", json=page({"n": 4}))
    assert list(hook.list_sessions(page=3)) == [{"n": 3}, {"n": 4}]
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
    requests_mock.get(f"{URL}?page=2", json=page({"n": 1}))
    assert list(hook.list_sessions()) == [{"n": 1}]
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
    requests_mock.get(URL, json=page({"n": 1}, following=link))
    sessions = hook.list_sessions()
    assert next(sessions) == {"n": 1}
    with pytest.raises(LessonspaceServerError, match="next page leads to another place") as caught:
        next(sessions)
    assert len(sent(requests_mock)) == 1
    assert caught.value.path == SESSIONS_PATH
    assert "page=2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("links", [["?page=2", "?page=2"], ["?page=2", "?page=3", "?page=2"], [""], ["?page=2", ""]])
def test_a_list_that_leads_in_a_circle_is_an_error(hook, requests_mock, links):
    answers = [{"json": page({"n": n}, following=URL + link)} for n, link in enumerate(links)]
    requests_mock.get(URL, answers)
    with pytest.raises(LessonspaceServerError, match="a next link led back"):
        list(islice(hook.list_sessions(), 50))
    assert len(sent(requests_mock)) == len(links)


def test_a_list_that_became_shorter_ends_there(hook, requests_mock):
    requests_mock.get(URL, json=page({"n": 1}, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", status_code=404, json={"detail": "Invalid page."})
    assert list(hook.list_sessions()) == [{"n": 1}]


@pytest.mark.parametrize("answer", [{"json": {"detail": "Not found."}}, {"text": "<h1>Not Found</h1>"}, {"json": []}])
def test_any_other_404_amid_a_list_is_an_error_lest_sessions_go_missing(hook, requests_mock, answer):
    requests_mock.get(URL, json=page({"n": 1}, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", status_code=404, **answer)
    with pytest.raises(LessonspaceNotFoundError):
        list(hook.list_sessions())


def test_a_first_page_that_is_not_there_is_an_error(hook, requests_mock):
    requests_mock.get(f"{URL}?page=99", status_code=404, json={"detail": "Invalid page."})
    with pytest.raises(LessonspaceNotFoundError, match="Invalid page"):
        list(hook.list_sessions(page=99))


def test_an_error_amid_a_list_comes_after_what_was_read(hook, requests_mock):
    requests_mock.get(URL, json=page({"n": 1}, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", status_code=500)
    sessions = hook.list_sessions()
    assert next(sessions) == {"n": 1}
    with pytest.raises(LessonspaceServerError):
        next(sessions)


@pytest.mark.parametrize(
    "body",
    ["[]", "7", "null", "{}", '{"results": null}', '{"results": {}}', '{"results": [1]}', '{"results": [{}, null]}'],
)
def test_a_page_of_another_shape_is_an_error_that_names_the_path(hook, requests_mock, body):
    requests_mock.get(URL, text=body)
    with pytest.raises(LessonspaceServerError, match=f"GET /organisations/{ORGANISATION}/sessions/") as caught:
        list(hook.list_sessions())
    assert caught.value.method == "GET"
    assert caught.value.path == SESSIONS_PATH


def test_the_api_may_lie_behind_a_proxy_with_a_path_of_its_own(connect, requests_mock):
    base = "https://proxy.school.example/lessonspace/api"
    requests_mock.get(base + SESSIONS_PATH, json=page({"n": 1}, following=f"{base}{SESSIONS_PATH}?page=2"))
    requests_mock.get(f"{base}{SESSIONS_PATH}?page=2", json=page({"n": 2}))
    assert list(connect(host=base).list_sessions()) == [{"n": 1}, {"n": 2}]


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
