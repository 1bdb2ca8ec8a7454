# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from scripts import progress as progress_module
from scripts.airflow_api import AirflowApiError
from scripts.progress import DemoError, Progress


class Ended:
    """A process that ended."""

    name = "airflow standalone"

    def exit_status(self) -> int:
        return 3


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LOOK_EVERY_SECONDS", 0.0)


def answers(*outcomes: object) -> Callable[[], object]:
    iterator: Iterator[object] = iter(outcomes)

    def look() -> object:
        outcome = next(iterator)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return look


def test_waiting_ends_with_the_first_result() -> None:
    assert Progress().wait_for("it", answers(None, None, "there", "later")) == "there"


@pytest.mark.parametrize("trouble", [ConnectionRefusedError(), AirflowApiError("GET /", 503, "busy")])
def test_no_answer_and_server_errors_are_waited_out(trouble: Exception) -> None:
    assert Progress().wait_for("it", answers(trouble, "there")) == "there"


def test_a_refused_request_is_not_waited_out() -> None:
    with pytest.raises(AirflowApiError, match="answered 403 to GET /"):
        Progress().wait_for("it", answers(AirflowApiError("GET /", 403, "no")))


def test_waiting_ends_when_a_process_ended() -> None:
    with pytest.raises(DemoError, match="airflow standalone ended by itself, with status 3"):
        Progress().wait_for("it", lambda: None, [Ended()], deadline=5)  # type: ignore[list-item]


def test_the_deadline_names_what_never_came_and_the_last_trouble() -> None:
    def refuse() -> None:
        raise ConnectionRefusedError("refused")

    with pytest.raises(DemoError, match=r"in vain for the API server \(no answer: .*refused"):
        Progress().wait_for("the API server", refuse, deadline=-1)
