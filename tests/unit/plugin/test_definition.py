# SPDX-License-Identifier: Apache-2.0
"""How Airflow finds the page, and what of it other processes import."""

from __future__ import annotations

import subprocess
import sys

from airflow.providers_manager import ProvidersManager

from lessonspace_provider.plugin.definition import LessonspacePlugin
from tests.airflow_version import needs_airflow, older_than

#: What serves the page, and what is needed for that.
PAGE = {
    "lessonspace_provider.plugin.app",
    "lessonspace_provider.plugin.archives",
    "lessonspace_provider.archive.health_page",
    "fastapi",
}


def program(text):
    ended = subprocess.run(
        [sys.executable, "-W", "error::Warning:lessonspace_provider", "-c", text],
        check=True,
        capture_output=True,
        text=True,
    )
    return ended.stdout.splitlines()[-1], ended.stderr


def test_airflow_finds_the_plugin_through_the_provider():
    plugins = [plugin.plugin_class for plugin in ProvidersManager().plugins]
    assert "lessonspace_provider.plugin.definition.LessonspacePlugin" in plugins


@needs_airflow("3.1", "older ones have no place for the page")
def test_airflow_serves_the_page_and_lists_it():
    text = (
        "from airflow import plugins_manager as manager; import json;"
        "info = [one for one in manager.get_plugin_info() if one['name'] == 'lessonspace'];"
        "print(json.dumps([info[0]['external_views'], [app['url_prefix'] for app in info[0]['fastapi_apps']]]))"
    )
    shown, complaints = program(text)
    assert '"href": "lessonspace/"' in shown
    assert '["/lessonspace"]' in shown
    assert "lessonspace" not in complaints.lower()


def test_only_versions_with_a_place_for_the_page_serve_it():
    assert (LessonspacePlugin.fastapi_apps == []) is older_than("3.1")


def test_loading_the_plugin_imports_nothing_that_serves_it():
    loaded, _ = program("import sys, lessonspace_provider.plugin.definition; print(*sys.modules)")
    before, _ = program("import sys, airflow.plugins_manager; print(*sys.modules)")
    assert not (set(loaded.split()) - set(before.split())) & PAGE


def test_a_worker_imports_nothing_that_serves_it():
    """As it is when a task runs: its DAG is parsed, and the plugins are asked for macros and listeners."""
    worker = (
        "import sys; import lessonspace_provider.operators.archive;"
        "from airflow import plugins_manager; plugins_manager.integrate_macros_plugins(); print(*sys.modules)"
    )
    loaded, _ = program(worker)
    assert "lessonspace_provider.plugin.definition" in loaded.split()
    assert not set(loaded.split()) & {name for name in PAGE if name.startswith("lessonspace_provider.plugin")}
