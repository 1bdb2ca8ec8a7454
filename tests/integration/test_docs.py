# SPDX-License-Identifier: Apache-2.0
"""The documentation: it builds strictly, its code blocks run or compile, and its messages stand in the sources."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import metadata
from pathlib import Path
from threading import Thread
from uuid import UUID

import airflow.sdk
import pytest
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
from airflow.sdk import DAG, Connection

from lessonspace_provider.api.connection import ConnectionSettings
from tests.airflow_version import needs_airflow
from tests.integration.doc_blocks import PAGES, ROOT, blocks_of

#: What a block of code may show that older versions of Airflow do not have; the docs say so beside it.
NEWER = {
    "retry_policy": needs_airflow("3.3", "retry policies came with it"),
    "--dag-ids": needs_airflow("3.2", "db clean of older ones has no --dag-ids"),
}
BLOCKS = [
    pytest.param(
        language, text, id=f"{page.stem}-{number}", marks=[mark for words, mark in NEWER.items() if words in text]
    )
    for page in PAGES
    for number, (language, text) in enumerate(blocks_of(page))
]
MODULES = [
    path
    for kind in ("operators", "sensors", "triggers")
    for path in sorted((ROOT / "lessonspace_provider" / kind).glob("*.py"))
    if path.stem not in ("__init__", "base", "bulk")
]
_GUIDE = re.compile(r"^ +Guide: (docs/[\w/-]+\.md)#([\w-]+)$", re.MULTILINE)
_SNIPPET = re.compile(r'--8<-- "([^":]+)')
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")

ERRORS = ROOT / "docs" / "reference" / "errors.md"
MESSAGES = "\n".join(page.read_text() for page in sorted(ERRORS.parent.glob("errors-*.md")))
AIRFLOW = Path(airflow.sdk.__file__).parent

EXAMPLES_IN_WHEEL = "lessonspace_provider/example_dags"


@cache
def sources(folder: Path) -> str:
    """Give all texts of a package, pieces of implicitly joined strings put together, ``{}`` for what is filled in."""
    texts = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture
def site_address(site):
    """Where the site is served, as `make docs` advises."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *arguments):
        """Write nothing."""


def test_the_site_builds_strictly(site):
    operators = (site / "reference" / "operators.html").read_text()
    assert "LessonspaceLaunchSpaceOperator" in operators
    assert "<p>.. " not in operators
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert {page["location"] for page in index["docs"]} > {"reference/errors.html#rate_limit_timeout", "glossary.html"}


def test_the_reference_has_all_classes_of_the_registry(site):
    classes = re.findall(r"module: (\S+)", (ROOT / ".airflow-registry.yaml").read_text())
    reference = "".join(page.read_text() for page in (site / "reference").glob("*.html"))
    assert len(classes) > 15
    assert [name for name in classes if f'id="{name}"' not in reference] == []


def test_search_finds_an_error_by_its_code(site_address, browser_page):
    browser_page.goto(f"{site_address}/index.html")
    browser_page.locator("input[data-md-component=search-query]").click()
    browser_page.keyboard.type("rate_limit_timeout")
    found = browser_page.locator(".md-search-result__link[href*='errors.html#rate_limit_timeout']")
    found.first.wait_for(state="attached")


@pytest.mark.parametrize(
    ("page", "begins", "file"),
    [
        ("tutorial/first-archive.md", "", "dags/files/first_archive.py"),
        ("tutorial/first-launch.md", "", "dags/files/first_launch.py"),
        ("how-to/load-tables.md", "", "dags/files/load_tables.py"),
        ("how-to/testing.md", "import json", "test_testing_guide.py"),
        ("how-to/testing.md", "def test_the_sensor", "test_testing_guide.py"),
    ],
)
def test_a_page_that_is_read_without_the_site_shows_the_tested_code(page, begins, file):
    (shown,) = (text for kind, text in blocks_of(ROOT / "docs" / page) if kind == "python" and text.startswith(begins))
    tested = (ROOT / "tests" / "integration" / file).read_text()
    assert shown.strip() in re.sub("  # noqa.*", "", tested)


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_a_code_block_is_good(language, text, lessonspace_connection):
    if language == "python":
        if snippet := _SNIPPET.search(text):
            assert (ROOT / snippet[1]).exists()  # itself run by the tests of the DAGs
        else:
            with DAG("block", schedule=None):  # a block may show a piece of a DAG
                exec(compile(text, "block", "exec"), {"__name__": "block"})  # noqa: S102
    elif language == "json":
        if "conn_type" in (read := json.loads(text)):
            check_connection(read)
    elif language == "ini":
        settings = ConfigParser()
        settings.read_string(text)
        ProvidersManager().initialize_providers_configuration()
        assert all(conf.has_option(section, name) for section in settings.sections() for name in settings[section])
    elif language in ("sql", "athena", "bigquery"):
        pass  # tests/integration/archive/test_query_guides.py runs the first, and checks what the others say of columns
    elif language == "jsonl":
        assert all(json.loads(line) for line in text.splitlines())
    else:
        assert language == "shell", f"unknown language {language!r}"
        for line in text.splitlines():
            check_command(shlex.split(line, comments=True))


def test_readme_begins_with_what_was_not_tested():
    beginning = (ROOT / "README.md").read_text().partition("\n## ")[0].replace("\n", " ")
    assert "live API was not reachable" in beginning
    assert "`python -m lessonspace_provider.live_check`" in beginning


def test_readmes_links_lead_to_files():
    paths = [path for path, _ in _LINK.findall((ROOT / "README.md").read_text()) if path and "://" not in path]
    assert "docs/index.md" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_files_that_contributing_names_are_there():
    paths = re.findall(r"`((?:\w+/)*\w+\.(?:py|md|txt|yaml))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(paths) > 10
    assert [path for path in paths if not any((r / path).exists() for r in (ROOT, ROOT / "lessonspace_provider"))] == []


def test_the_page_of_examples_lists_every_example_dag():
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/how-to/example-dags.md").read_text(), re.MULTILINE)
    dags = [path.stem for path in (ROOT / "dags_examples").glob("*.py") if "with DAG(" in path.read_text()]
    assert sorted(listed) == sorted(dags)


def test_the_house_in_contributing_has_every_room():
    picture = (ROOT / "CONTRIBUTING.md").read_text().partition("## The house")[2].partition("## What is public")[0]
    rooms = [path.parent.name for path in (ROOT / "lessonspace_provider").glob("*/__init__.py")]
    assert [room for room in rooms if f"{room}/" not in picture] == []


def check_command(words):
    if words[:1] == ["make"]:
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[:2] == ["python", "-m"]:
        subprocess.run([sys.executable, "-m", words[2], "--help"], check=True, capture_output=True, cwd=ROOT)
    elif words[:1] == ["airflow"]:
        get_parser().parse_args(words[1:] if "|" not in words else words[1 : words.index("|")])
    elif words[:1] == ["mkdir"]:
        assert words[1:4] == ["-m", "700", "-p"]
    elif words[:1] == ["cp"]:
        command = ["bash", "-c", f"echo {words[2].replace('python', sys.executable, 1)}"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()
        assert printed == str(ROOT / EXAMPLES_IN_WHEEL)
        assert f'"{EXAMPLES_IN_WHEEL}"' in (ROOT / "pyproject.toml").read_text()  # where they are in a wheel
    elif words[:1] == ["export"]:
        check_connection(json.loads(words[1].partition("=")[2].replace("<API key>", str(UUID(int=0)))))
    else:
        assert words[:2] == ["pip", "install"], f"no check for {words[0]}"
        for word in words[2:]:
            if extra := re.fullmatch(r"([\w-]+)\[(\w+)\]", word):
                assert extra[2] in metadata(extra[1]).get_all("Provides-Extra")


def check_connection(fields):
    """A connection in the docs is one that the hook takes, and all of its fields mean something."""
    connection = Connection(conn_id="docs", **{**fields, "extra": json.dumps(fields.get("extra", {}))})
    assert not ConnectionSettings.from_connection(connection).warnings


@pytest.mark.parametrize("message", re.findall(r"^\| `(.+?)` \| (?:warning|\[| \|)", MESSAGES, re.MULTILINE))
def test_a_documented_message_is_in_the_sources(message):
    assert message in sources(ROOT / "lessonspace_provider")


@pytest.mark.parametrize("message", re.findall(r"^\| Airflow: `(.+?)` \|", MESSAGES, re.MULTILINE))
def test_a_documented_message_of_airflows_is_in_its_sources(message):
    assert message in sources(AIRFLOW)


def test_the_code_of_a_documented_message_is_described():
    described = set(re.findall(r"^## (\w+)$", ERRORS.read_text(), re.MULTILINE))
    assert set(re.findall(r"\[`(\w+)`\]\(errors\.md#\1\)", MESSAGES)) <= described


@pytest.mark.parametrize("line", [line for path in MODULES for line in _GUIDE.findall(path.read_text())])
def test_the_guide_that_a_docstring_names_is_there(line):
    page, anchor = line
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_public_class_of_airflows_names_its_guide(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and re.fullmatch(r"Lessonspace\w+(Operator|Sensor|Trigger)", node.name):
            assert "Guide: docs/" in (ast.get_docstring(node) or ""), node.name
