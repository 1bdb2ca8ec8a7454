# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import pickle

import pytest

from lessonspace_provider import exceptions
from lessonspace_provider.exceptions import LessonspaceConnectionError, LessonspaceError

KINDS = {
    name: kind
    for name, kind in inspect.getmembers(exceptions, inspect.isclass)
    if kind.__module__ == exceptions.__name__
}

#: The kinds and what they derive from directly: users catch by these.
TAXONOMY = {
    "LessonspaceError": (Exception,),
    "LessonspaceInputError": (LessonspaceError, ValueError),
    "LessonspaceAuthError": (LessonspaceError,),
    "LessonspaceNotFoundError": (LessonspaceError,),
    "LessonspaceBadRequestError": (LessonspaceError,),
    "LessonspaceRateLimitedError": (LessonspaceError,),
    "LessonspaceServerError": (LessonspaceError,),
    "LessonspaceConnectionError": (LessonspaceError,),
    "LessonspaceTlsError": (LessonspaceConnectionError,),
    "LessonspaceDestinationError": (LessonspaceError, OSError),
    "LessonspaceTranscriptNotReady": (LessonspaceError,),
    "LessonspaceLinkExpiredError": (LessonspaceError,),
}


def test_the_kinds_of_errors_are_these():
    assert {name: kind.__bases__ for name, kind in KINDS.items()} == TAXONOMY


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_an_error_says_its_message_and_keeps_its_details(kind):
    error = kind("What happened.", status=429, method="GET", path="/hello/", retry_after=1.5)
    assert str(error) == "What happened."
    assert (error.status, error.method, error.path, error.retry_after) == (429, "GET", "/hello/", 1.5)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_details_need_not_be_known(kind):
    error = kind("What happened.")
    assert (error.status, error.method, error.path, error.retry_after) == (None, None, None, None)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_an_error_survives_the_way_between_two_processes(kind):
    error = kind("What happened.", status=404, method="GET", path="/hello/", retry_after=0.0)
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(there) is kind
    assert str(there) == "What happened."
    assert vars(there) == vars(error)
