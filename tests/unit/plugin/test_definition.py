# SPDX-License-Identifier: Apache-2.0
"""How Airflow finds the page, and what of it other processes import."""

from __future__ import annotations

import os
import subprocess
import sys

from airflow.providers_manager import ProvidersManager

from lessonspace_provider import __version__
from lessonspace_provider.plugin.definition import LessonspacePlugin
from tests.airflow_version import needs_airflow, older_than

#: What serves the page, and what is needed for that.
PAGE = {
    "lessonspace_provider.plugin.app",
    "lessonspace_provider.plugin.archives",
    "lessonspace_provider.archive.health.page",
    "fastapi",
}


#: Python's own option -W takes the whole name of one module only.
NO_WARNINGS = "import warnings; warnings.filterwarnings('error', module=r'lessonspace_provider(\\.|$)');"

#: Every module, then all that Airflow reads of a provider and of plugins.
IMPORT_ALL = """
import importlib, pkgutil, lessonspace_provider
names = [module.name for module in pkgutil.walk_packages(lessonspace_provider.__path__, "lessonspace_provider.")]
for name in names:
    if not name.endswith(SKIPPED):
        importlib.import_module(name)
from airflow import plugins_manager
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
manager.initialize_providers_configuration()
found = [manager.providers["airflow-provider-lessonspace"].version, manager.hooks["lessonspace"].hook_name]
found += [plugin["name"] for plugin in plugins_manager.get_plugin_info() if plugin["name"] == "lessonspace"]
manager.extra_links_class_names
print(*found)
"""


def program(text):
    ended = subprocess.run(
        [sys.executable, "-c", f"{NO_WARNINGS}\n{text}"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"},
    )
    *logged, printed = ended.stdout.splitlines()  # where Airflow logs depends on its version
    return printed, "\n".join([*logged, ended.stderr])


def test_airflow_finds_the_plugin_through_the_provider():
    plugins = [plugin.plugin_class for plugin in ProvidersManager().plugins]
    assert "lessonspace_provider.plugin.definition.LessonspacePlugin" in plugins


def test_airflow_imports_and_reads_all_of_the_provider_without_a_warning():
    skipped = ("__main__", "retry_policy") if older_than("3.3") else ("__main__",)
    found, complaints = program(f"SKIPPED = {skipped}\n{IMPORT_ALL}")
    assert found == f"{__version__} Lessonspace lessonspace"
    assert "lessonspace" not in complaints.lower()


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
