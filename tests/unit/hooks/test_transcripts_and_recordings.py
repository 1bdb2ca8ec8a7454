# SPDX-License-Identifier: Apache-2.0
"""A transcript is a link from the API, then a file from the store; a recording is a link."""

from __future__ import annotations

import pytest

from lessonspace_provider.api.responses import LARGEST_ERROR
from lessonspace_provider.api.retries import ATTEMPTS
from lessonspace_provider.exceptions import (
    LessonspaceBadRequestError,
    LessonspaceInputError,
    LessonspaceLinkExpiredError,
    LessonspaceNotFoundError,
    LessonspaceReplyTooLargeError,
    LessonspaceServerError,
    LessonspaceTranscriptNotReady,
)
from lessonspace_provider.hooks.transcript import LINKS_PER_TRANSCRIPT
from tests.unit.hooks.known import (
    API,
    LINK,
    PLAYBACK_PATH,
    RECORDING_URL,
    SEGMENT,
    SESSION,
    SIGNATURE,
    STORE,
    TRANSCRIPT_PATH,
    messages_of,
    page,
    sent,
)

URL = API + TRANSCRIPT_PATH


@pytest.fixture
def linked(requests_mock):
    """The API gives a link."""
    requests_mock.get(URL, json={"transcriptionUrl": LINK})
    return requests_mock


def links_asked_for(requests_mock):
    return len([call for call in sent(requests_mock) if call[1] == TRANSCRIPT_PATH])


def test_the_file_behind_the_link_is_the_transcript_with_all_its_fields(hook, linked):
    segments = [SEGMENT, {**SEGMENT, "confidence": 0.9, "user": None}, {}]
    linked.get(LINK, json=segments)
    assert hook.get_transcript(SESSION) == segments
    assert [request.url for request in linked.request_history] == [URL, LINK]


def test_a_transcript_without_a_word_is_an_empty_list(hook, linked):
    linked.get(LINK, json=[])
    assert hook.get_transcript(SESSION) == []


@pytest.mark.parametrize("content_type", ["text/plain", "binary/octet-stream", "application/json", None])
def test_the_words_are_utf8_whatever_the_store_calls_them(hook, linked, content_type):
    linked.get(LINK, content='[{"text": "Grüße 🎉"}]'.encode(), headers={"Content-Type": content_type or ""})
    assert hook.get_transcript(SESSION) == [{"text": "Grüße 🎉"}]


def test_a_byte_order_mark_does_no_harm(hook, linked):
    linked.get(LINK, content='[{"text": "Grüße"}]'.encode("utf-8-sig"))
    assert hook.get_transcript(SESSION) == [{"text": "Grüße"}]


@pytest.mark.parametrize("expired", range(1, LINKS_PER_TRANSCRIPT))
def test_an_expired_link_is_asked_for_again(hook, requests_mock, expired):
    links = [f"{LINK}&n={number}" for number in range(expired + 1)]
    requests_mock.get(URL, [{"json": {"transcriptionUrl": link}} for link in links])
    for link in links[:-1]:
        requests_mock.get(link, status_code=403, text=f"<Error><Url>{link}</Url></Error>")
    requests_mock.get(links[-1], json=[SEGMENT])
    assert hook.get_transcript(SESSION) == [SEGMENT]
    assert links_asked_for(requests_mock) == expired + 1


EXPIRED = {
    "request": "<Error><Code>ExpiredRequest</Code></Error>",
    "token": "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
    "access": "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
    "json": '{"error": "link EXPIRED"}',
}


@pytest.mark.parametrize("body", EXPIRED.values(), ids=list(EXPIRED))
def test_a_400_of_an_expired_link_asks_for_a_new_link(hook, requests_mock, body):
    first, second = f"{LINK}&n=0", f"{LINK}&n=1"
    requests_mock.get(URL, [{"json": {"transcriptionUrl": link}} for link in (first, second)])
    requests_mock.get(first, status_code=400, text=body)
    requests_mock.get(second, json=[SEGMENT])
    assert hook.get_transcript(SESSION) == [SEGMENT]
    assert links_asked_for(requests_mock) == 2


@pytest.mark.parametrize("body", ["", "<Error><Code>InvalidArgument</Code></Error>", "x" * LARGEST_ERROR + "expired"])
def test_a_400_for_another_reason_asks_for_no_new_link(hook, linked, body):
    linked.get(LINK, status_code=400, text=body)
    with pytest.raises(LessonspaceBadRequestError):
        hook.get_transcript(SESSION)
    assert links_asked_for(linked) == 1


def test_a_transcript_too_large_for_a_list_can_be_opened(hook, linked, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.transcripts.segments.LARGEST_IN_MEMORY", 1 << 20)
    linked.get(LINK, json=[{**SEGMENT, "text": "x" * 1000}] * 2000)
    assert len(hook.open_transcript(SESSION)) == 2000
    with pytest.raises(LessonspaceReplyTooLargeError, match=f"transcript of session {SESSION} has 2 MB, and at most 1"):
        hook.get_transcript(SESSION)


def test_links_that_are_always_expired_end_in_an_error(hook, linked):
    linked.get(LINK, status_code=403)
    with pytest.raises(LessonspaceLinkExpiredError, match=f"transcript file of session {SESSION}") as caught:
        hook.get_transcript(SESSION)
    assert caught.value.status == 403
    assert links_asked_for(linked) == LINKS_PER_TRANSCRIPT
    assert len(linked.request_history) == 2 * LINKS_PER_TRANSCRIPT


@pytest.mark.parametrize("content", [b'[{"text": "hal', b"", b"<Error/>", b"\xff\xfe\x00"])
def test_a_file_that_is_broken_once_is_fetched_again_by_the_same_link(hook, linked, content):
    linked.get(LINK, [{"content": content}, {"json": [SEGMENT]}])
    assert hook.get_transcript(SESSION) == [SEGMENT]
    assert links_asked_for(linked) == 1


@pytest.mark.parametrize("content", [b'[{"text": "hal', b"", b"<Error/>", b"\xff\xfe\x00"])
def test_a_file_that_stays_broken_is_a_server_error_that_names_the_session(hook, linked, content):
    linked.get(LINK, content=content)
    with pytest.raises(LessonspaceServerError, match=f"transcript file of session {SESSION}.*is not JSON"):
        hook.get_transcript(SESSION)
    assert len(linked.request_history) == 1 + ATTEMPTS


@pytest.mark.parametrize("body", ["{}", '"text"', "7", "null", "[1]", '[{"text": "a"}, null]', '[["a"]]'])
def test_a_file_of_another_shape_is_a_server_error_that_names_the_session(hook, linked, body):
    linked.get(LINK, text=body)
    with pytest.raises(LessonspaceServerError, match=f"session {SESSION}.*a list of segments"):
        hook.get_transcript(SESSION)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (103, LessonspaceServerError),
        (400, LessonspaceBadRequestError),
        (404, LessonspaceServerError),
        (500, LessonspaceServerError),
    ],
)
def test_what_the_store_reports_is_never_repeated(hook, linked, status, kind):
    linked.get(LINK, status_code=status, json={"detail": f"Signature={SIGNATURE}", "url": LINK})
    with pytest.raises(kind, match=f"session {SESSION} failed with {status}: the store") as caught:
        hook.get_transcript(SESSION)
    assert SIGNATURE not in messages_of(caught.value)
    assert STORE not in messages_of(caught.value)
    assert "API key" not in str(caught.value)


def test_a_404_names_the_three_things_it_may_mean_and_is_asked_once(hook, requests_mock):
    requests_mock.get(URL, status_code=404, json={"detail": "Not found."}, headers={"Retry-After": "7"})
    with pytest.raises(LessonspaceTranscriptNotReady) as caught:
        hook.get_transcript(SESSION)
    error = caught.value
    assert SESSION in str(error)
    assert [word for word in ("not ready yet", "never come", "no such session") if word not in str(error)] == []
    assert (error.status, error.method, error.path, error.retry_after) == (404, "GET", TRANSCRIPT_PATH, 7.0)
    assert not isinstance(error, LessonspaceNotFoundError)
    assert len(sent(requests_mock)) == 1


def test_a_list_form_is_accepted_with_all_its_pages_each_asked_for_once(hook, requests_mock):
    requests_mock.get(URL, json=page(SEGMENT, following=f"{URL}?page=2"))
    requests_mock.get(f"{URL}?page=2", json=page({**SEGMENT, "text": "b"}, following=f"{URL}?page=3"))
    requests_mock.get(f"{URL}?page=3", json=page())
    assert hook.get_transcript(SESSION) == [SEGMENT, {**SEGMENT, "text": "b"}]
    assert [query for _, _, query in sent(requests_mock)] == ["", "page=2", "page=3"]


@pytest.mark.parametrize(
    "later",
    [
        {"json": page(SEGMENT, count=3)},
        {"json": page(SEGMENT, count=2)},
        {"json": page(count=2)},
        {"status_code": 404, "json": {"detail": "Invalid page."}},
    ],
    ids=["short", "count fell", "count fell and nothing came", "past the end"],
)
def test_a_list_form_whose_pages_lack_segments_is_no_transcript(hook, requests_mock, later):
    requests_mock.get(URL, json=page(SEGMENT, following=f"{URL}?page=2", count=3))
    requests_mock.get(f"{URL}?page=2", **later)
    with pytest.raises(LessonspaceServerError, match=r"all entries of a list: [12] entries, and count=(2 or )?3"):
        hook.open_transcript(SESSION)


def test_a_page_of_the_list_form_that_was_asked_for_may_be_any_part_of_it(hook, requests_mock):
    requests_mock.get(f"{URL}?page=2", json=page(SEGMENT, count=3))
    assert hook.get_transcript(SESSION, page=2) == [SEGMENT]


def test_a_list_form_of_any_number_of_pages_takes_bounded_memory(hook, requests_mock, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.api.paging.LARGEST_LIST", 1 << 20)
    large = page({**SEGMENT, "text": "x" * 400_000}, following=f"{URL}?page=2")
    requests_mock.get(URL, [{"json": {**large, "next": f"{URL}?page={number}"}} for number in range(2, 9)])
    with pytest.raises(LessonspaceReplyTooLargeError, match=f"GET {TRANSCRIPT_PATH}: .* larger than 1 MB"):
        hook.open_transcript(SESSION)
    assert len(sent(requests_mock)) == 3


def test_a_bare_list_from_the_api_is_accepted(hook, requests_mock):
    requests_mock.get(URL, json=[SEGMENT])
    assert hook.get_transcript(SESSION) == [SEGMENT]


@pytest.mark.parametrize(
    "body", ["{}", "null", '"x"', '{"transcriptionUrl": null}', '{"transcriptionUrl": {}}', '{"results": 7}', "[1]"]
)
def test_an_answer_of_another_shape_is_a_server_error(hook, requests_mock, body):
    requests_mock.get(URL, text=body)
    with pytest.raises(LessonspaceServerError, match=f"GET {TRANSCRIPT_PATH}: .* not what the API documents"):
        hook.get_transcript(SESSION)


@pytest.mark.parametrize(
    "link",
    [
        "",
        "file.json",
        "/file.json?Signature=abc",
        "file:///etc/passwd?Signature=abc",
        "ftp://store.example/x?Signature=abc",
        "http://store.example/x?Signature=abc",
        "https://?Signature=abc",
        "https://[broken?Signature=abc",
        "data:application/json,[]",
    ],
)
def test_a_link_that_is_no_https_address_is_not_followed(hook, requests_mock, link):
    requests_mock.get(URL, json={"transcriptionUrl": link})
    with pytest.raises(LessonspaceServerError, match=f"session {SESSION}: .* not an https address") as caught:
        hook.get_transcript(SESSION)
    assert "Signature" not in messages_of(caught.value)
    assert len(sent(requests_mock)) == 1


def test_a_link_that_can_not_be_written_as_a_request_is_an_error_without_it(hook, requests_mock):
    requests_mock.get(URL, json={"transcriptionUrl": "https://*.example/x?Signature=abc"})
    with pytest.raises(LessonspaceInputError, match="InvalidURL") as caught:
        hook.get_transcript(SESSION)
    assert "Signature" not in messages_of(caught.value)


def test_an_api_in_the_clear_as_on_this_machine_may_give_links_in_the_clear(connect, requests_mock):
    requests_mock.get(f"http://127.0.0.1:8000/v2{TRANSCRIPT_PATH}", json={"transcriptionUrl": "http://127.0.0.1:1/x"})
    requests_mock.get("http://127.0.0.1:1/x", json=[])
    assert connect(host="http://127.0.0.1:8000/v2").get_transcript(SESSION) == []


def test_the_link_of_a_recording_is_what_the_api_gives(hook, requests_mock):
    requests_mock.get(API + PLAYBACK_PATH, json={"recording_url": RECORDING_URL})
    assert hook.get_recording_url(SESSION) == RECORDING_URL


@pytest.mark.parametrize("body", ["{}", "[]", '{"recording_url": null}', '{"recording_url": 7}'])
def test_an_answer_without_a_recording_link_is_a_server_error(hook, requests_mock, body):
    requests_mock.get(API + PLAYBACK_PATH, text=body)
    with pytest.raises(LessonspaceServerError, match=f"GET {PLAYBACK_PATH}"):
        hook.get_recording_url(SESSION)


def test_a_recording_that_is_not_there_is_not_found(hook, requests_mock):
    requests_mock.get(API + PLAYBACK_PATH, status_code=404)
    with pytest.raises(LessonspaceNotFoundError, match=PLAYBACK_PATH):
        hook.get_recording_url(SESSION)
