# SPDX-License-Identifier: Apache-2.0
"""What users get when they install the provider."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for name in ("lessonspace_provider", "dags_examples", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    uv = Path(sys.prefix) / "bin" / "uv"
    build = [uv, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", "dist"]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_it_holds_the_package_its_types_and_licence_and_not_the_tests(wheel):
    folders = {name.split("/")[0] for name in wheel.namelist()}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"lessonspace_provider"}
    assert "lessonspace_provider/py.typed" in wheel.namelist()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_its_entry_point_is_the_one_airflow_looks_for(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    entry_points = wheel.read(name).decode()
    assert "[apache_airflow_provider]" in entry_points
    assert "lessonspace_provider.get_provider_info:get_provider_info" in entry_points
