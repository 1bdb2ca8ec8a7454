# SPDX-License-Identifier: Apache-2.0
"""What users get when they install the provider."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from lessonspace_provider import __version__
from scripts.package import UV, try_out

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the sdist, and with the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [UV, "build", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built / f"airflow_provider_lessonspace-{__version__}-py3-none-any.whl") as opened:
        yield opened


def test_it_holds_the_package_its_types_and_licence_and_not_the_tests(wheel):
    folders = {name.split("/")[0] for name in wheel.namelist()}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"lessonspace_provider"}
    assert "lessonspace_provider/py.typed" in wheel.namelist()
    templates = "lessonspace_provider/archive/health/templates"
    assert {f"{templates}/{name}" for name in ("health.html", "page.html", "page.css")} <= set(wheel.namelist())
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_it_holds_the_examples_to_be_copied(wheel):
    folder = "lessonspace_provider/example_dags/"
    held = {name.removeprefix(folder) for name in wheel.namelist() if name.startswith(folder)}
    examples = ROOT / "dags_examples"
    own = {str(path.relative_to(examples)) for path in examples.rglob("*") if path.is_file()}
    assert held == {name for name in own if "__pycache__" not in name}


def test_its_entry_point_is_the_one_that_airflow_reads(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    entry_points = wheel.read(name).decode()
    assert "[apache_airflow_provider]" in entry_points
    assert "lessonspace_provider.get_provider_info:get_provider_info" in entry_points


def test_the_source_distribution_holds_what_its_makefile_and_tests_need(built):
    with tarfile.open(built / f"airflow_provider_lessonspace-{__version__}.tar.gz") as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"Makefile", "constraints.txt", "scripts/package.py", "tests/conftest.py", "docs/index.md"} <= names
    assert not {name for name in names if name.startswith((".venv", ".cache", "dist")) or name.endswith(".pyc")}


def test_it_works_alone_in_an_empty_environment(built):
    (path,) = built.glob("*.whl")
    seen = try_out(path)
    assert f"version {__version__}" in seen
    assert "Connected to organisation" in seen
    assert seen.splitlines()[-1].startswith("airflow-provider-lessonspace")
