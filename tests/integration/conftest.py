# SPDX-License-Identifier: Apache-2.0
"""What tests under a real Airflow share."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from airflow.sdk import DAG
from playwright.sync_api import Page

from tests.integration.browser import chromium_program, open_browser

EXAMPLES = Path(__file__).parent.parent.parent / "dags_examples"
_FOLDERS = (EXAMPLES, Path(__file__).parent / "dags" / "files")


def load_dag(name: str) -> DAG:
    """
    Load a DAG anew from its file among the example DAGs or the tests' own, so that tests don't share task objects.

    Airflow runs only DAGs that it can find in such a folder itself.
    """
    (path,) = (folder / f"{name}.py" for folder in _FOLDERS if (folder / f"{name}.py").exists())
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


@pytest.fixture
def run_dag(airflow_home: Path) -> Callable[..., object]:
    """Run a DAG to its end in this process, against a migrated database, as ``dag.test()`` does with these params."""

    def run(dag: DAG, logical_date: datetime | None = None, **params: object) -> object:
        return dag.test(logical_date=logical_date, run_conf=params or None)

    return run


@pytest.fixture
def xcom() -> Callable[..., object]:
    """Read what a task of a run pushed."""

    def read(run: object, task_id: str, key: str = "return_value", map_index: int = -1) -> object:
        instance = run.get_task_instance(task_id, map_index=map_index)
        return instance.xcom_pull(task_ids=task_id, key=key, map_indexes=map_index)

    return read


@pytest.fixture
def all_said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Give all that was printed, and what any logger said from DEBUG on, whether or not a handler wrote it."""
    caplog.set_level(logging.DEBUG)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("airflow")]:
        caplog.set_level(logging.DEBUG, logger=name)
    return lambda: "".join([*capfd.readouterr(), caplog.text])


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    program = chromium_program()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed: .ci/run has to install it")
        pytest.skip("chromium is not on PATH: install it to run the tests that open pages in a browser")
    return program


@pytest.fixture
def browser_page(chromium: str) -> Iterator[Page]:
    """An empty page of a real browser, which reaches this machine only."""
    with open_browser(chromium) as page:
        yield page
