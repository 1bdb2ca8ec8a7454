# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import re
from contextlib import suppress
from pathlib import Path

import pytest

import lessonspace_provider
from lessonspace_provider import exceptions
from lessonspace_provider.exceptions import LessonspaceConnectionError, LessonspaceError, LessonspaceServerError

KINDS = {
    name: kind
    for name, kind in inspect.getmembers(exceptions, inspect.isclass)
    if kind.__module__ == exceptions.__name__
}

ERRORS = Path(__file__).parent.parent.parent / "docs" / "reference" / "errors.md"

#: The kinds and what they derive from directly: users catch by these.
TAXONOMY = {
    "LessonspaceError": (Exception,),
    "LessonspaceInputError": (LessonspaceError, ValueError),
    "LessonspaceAuthError": (LessonspaceError,),
    "LessonspaceNotFoundError": (LessonspaceError,),
    "LessonspaceBadRequestError": (LessonspaceError,),
    "LessonspaceRateLimitedError": (LessonspaceError,),
    "LessonspaceServerError": (LessonspaceError,),
    "LessonspaceReplyTooLargeError": (LessonspaceServerError,),
    "LessonspaceConnectionError": (LessonspaceError,),
    "LessonspaceReplyTimeoutError": (LessonspaceConnectionError,),
    "LessonspaceTlsError": (LessonspaceConnectionError,),
    "LessonspaceDestinationError": (LessonspaceError, OSError),
    "LessonspaceTranscriptNotReady": (LessonspaceError,),
    "LessonspaceLinkExpiredError": (LessonspaceError,),
    "LessonspaceDeliveryError": (LessonspaceError,),
    "LessonspaceSettingRefusedError": (LessonspaceError,),
    "LessonspaceAccountError": (LessonspaceError,),
    "LessonspaceJobError": (LessonspaceError,),
}


def test_the_kinds_of_errors_are_these():
    assert {name: kind.__bases__ for name, kind in KINDS.items()} == TAXONOMY


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_an_error_has_its_message_and_keeps_its_details(kind):
    error = kind("What happened.", status=429, method="GET", path="/hello/", retry_after=1.5)
    assert str(error) == "What happened."
    assert (error.status, error.method, error.path, error.retry_after) == (429, "GET", "/hello/", 1.5)


def all_kinds(kind=LessonspaceError):
    """Every error of the package, also of modules that import more than this one."""
    for module in pkgutil.walk_packages(lessonspace_provider.__path__, "lessonspace_provider."):
        if ".sandbox" not in module.name and not module.name.endswith("__main__"):
            with suppress(ImportError):  # needs a newer Airflow
                importlib.import_module(module.name)
    todo, found = [kind], []
    while todo:
        found.append(todo.pop())
        todo += [k for k in found[-1].__subclasses__() if k.__module__.startswith("lessonspace_provider")]
    return found


def test_every_error_has_a_code_of_its_own_that_is_documented():
    codes = {kind: vars(kind).get("code") for kind in all_kinds()}
    assert len(codes) > len(KINDS)
    assert [kind for kind, code in codes.items() if not code or not re.fullmatch("[a-z_]+", code)] == []
    assert len(set(codes.values())) == len(codes)
    documented = re.findall(r"^## (\w+)\n\n`(\w+)`", ERRORS.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted((code, kind.__name__) for kind, code in codes.items())


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
