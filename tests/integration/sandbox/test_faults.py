# SPDX-License-Identifier: Apache-2.0
"""Things that go wrong on purpose."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from lessonspace_provider.sandbox import SandboxControlError


def statuses(client, count, path="/my-organisation/"):
    return [client.get(path).status_code for _ in range(count)]


def test_a_status_with_its_retry_after_and_body_so_often_as_asked(client, control):
    control.inject_fault(
        "status", status=429, retry_after="Mon, 23 Nov 2026 15:00:05 GMT", body='{"detail": "x"}', count=2
    )
    answers = [client.get("/my-organisation/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "Mon, 23 Nov 2026 15:00:05 GMT"
    assert answers[0].json() == {"detail": "x"}
    assert "Retry-After" not in answers[2].headers


def test_a_status_is_503_in_json_by_default(client, control):
    control.inject_fault("status")
    answer = client.get("/my-organisation/")
    assert (answer.status_code, list(answer.json())) == (503, ["detail"])


def test_a_spoiled_call_does_no_work_and_counts_nowhere_unless_the_fault_comes_after(client, control):
    control.inject_fault("status", count=1, method="POST")
    assert client.launch().status_code == 503
    assert control.launches() == []
    assert control.state().accepted == 0
    control.inject_fault("status", count=1, method="POST", after=True)
    assert client.launch().status_code == 503
    assert len(control.launches()) == 1
    assert control.state().accepted == 1
    assert client.launch().status_code == 200


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_closes_the_connection_without_an_answer(client, control, after):
    control.inject_fault("reset", count=1, path="/launch/", after=after)
    with pytest.raises(requests.ConnectionError) as failure:
        client.launch()
    assert "reset by peer" in str(failure.value)
    assert len(control.launches()) == (1 if after else 0)
    assert client.launch().status_code == (200 if after else 201)
    first, second = control.calls(path="/launch/")
    assert (first.status, first.fault, second.fault) == (None, "reset", None)


def test_a_truncated_answer_is_shorter_than_its_content_length(client, control, sandbox):
    whole = client.get(client.organisation("/sessions/")).content
    control.inject_fault("truncated", count=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.get(client.organisation("/sessions/"))
    control.inject_fault("truncated", count=1)
    connection = http.client.HTTPConnection(sandbox.root_url.removeprefix("http://"), timeout=30)
    headers = {"Authorization": f"Organisation {sandbox.api_key}"}
    connection.request("GET", "/v2" + client.organisation("/sessions/"), headers=headers)
    answer = connection.getresponse()
    assert int(answer.headers["Content-Length"]) == len(whole)
    with pytest.raises(http.client.IncompleteRead) as failure:
        answer.read()
    connection.close()
    assert failure.value.partial == whole[: len(whole) // 2]
    assert client.get(client.organisation("/sessions/")).content == whole


def test_not_json_is_a_web_page_with_status_200(client, control):
    control.inject_fault("not_json", count=1)
    answer = client.get("/my-organisation/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("after", [False, True])
def test_slow_is_the_right_answer_late(client, control, after):
    control.inject_fault("slow", seconds=0.2, count=1, after=after)
    began = time.monotonic()
    answer = client.get("/my-organisation/")
    assert time.monotonic() - began >= 0.2
    assert answer.json()["id"] == control.state().organisation_id


def test_others_are_served_while_one_call_is_slow(client, control, sandbox):
    control.inject_fault("slow", seconds=60, path="/users/", count=1)
    headers = {"Authorization": f"Organisation {sandbox.api_key}"}
    url = sandbox.base_url + client.organisation("/users/")
    with ThreadPoolExecutor() as pool:
        impatient = pool.submit(requests.get, url, headers=headers, timeout=1)
        while not control.calls(path="/users/"):
            pass
        assert statuses(client, 5) == [200] * 5
        assert isinstance(impatient.exception(), requests.Timeout)
    assert control.calls(path="/users/")[0].status is None


def test_only_matching_calls_are_spoiled(client, control, now):
    control.inject_fault("status", method="GET", path="/spaces/$")
    assert client.get(client.organisation("/spaces/")).status_code == 503
    assert client.get(client.organisation("/users/")).status_code == 200
    assert client.launch().status_code == 201
    session_id = control.add_session(now, now, transcript="ready")
    control.inject_fault("status", status=500, target="store")
    url = client.session(session_id, "transcript/").json()["transcriptionUrl"]
    assert requests.get(url, timeout=30).status_code == 500


def test_every_nth_call(client, control):
    control.inject_fault("status", every=3)
    assert statuses(client, 7) == [200, 200, 503, 200, 200, 503, 200]


def test_a_share_of_calls_drawn_from_the_seed(client, control):
    control.inject_fault("status", probability=0.2, seed=7)
    first = statuses(client, 100)
    control.clear_faults()
    control.inject_fault("status", probability=0.2, seed=7)
    assert statuses(client, 100) == first
    control.clear_faults()
    control.inject_fault("status", probability=0.2, seed=8)
    assert statuses(client, 100) != first
    assert 8 <= first.count(503) <= 32


def test_several_faults_form_a_queue_and_are_counted(client, control):
    control.inject_fault("status", status=500, count=1)
    control.inject_fault("status", status=502, count=2)
    assert statuses(client, 4) == [500, 502, 502, 200]
    assert [(f.fault.status, f.injected) for f in control.state().faults] == [(500, 1), (502, 2)]


def test_clearing_and_resetting_end_them(client, control):
    for end in (control.clear_faults, control.reset):
        control.inject_fault("status")
        end()
        assert statuses(client, 3) == [200] * 3
        assert control.state().faults == []


@pytest.mark.parametrize("options", [{"every": 0}, {"probability": 1.5}, {"path": "("}])
def test_a_fault_that_makes_no_sense_is_refused(control, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        control.inject_fault("status", **options)
    with pytest.raises(SandboxControlError):
        control.inject_fault("earthquake")


def test_latency_is_added_to_each_api_answer(client, control):
    control.reset(latency=0.1)
    began = time.monotonic()
    assert statuses(client, 3) == [200] * 3
    assert time.monotonic() - began >= 0.3
