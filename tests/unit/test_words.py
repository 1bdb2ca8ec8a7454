# SPDX-License-Identifier: Apache-2.0
"""The words and sizes of what people read: README, docs and the like, docstrings, comments and names of tests."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*DOCS, *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY"))]

#: What the page of figures includes.
RESULTS = sorted((ROOT / "benchmarks").rglob("results*.md"))

#: Modules whose docstrings, comments and messages are checked, and the tests whose names are.
SOURCES = [
    path
    for folder in ("lessonspace_provider", "dags_examples", "scripts", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

#: Lists English words.
WORD_LIST = "common_words.py"

MOST_LINES = 150
MOST_WORDS_OF_README = 1_300
MOST_WORDS_OF_A_SENTENCE = 30

#: A pattern for each word that is not used, and what to write in its place.
WORDS = {
    r"told|tells?|says?|said": "reports, logs, returns, raises; is",
    r"heard|news|is_turn|is_deaf|doubted": "poll result, should_confirm, not_listed, inconclusive",
    r"turnstiles?": "lock, FileLock",
    r"taken up|takes up|looked for|looks? for|looks?": "retried, checked, check, search",
    r"answers? of \d+": "a 429 response",
    r"lies?|stands?": "is stored, is",
    r"mend(s|ed)?": "fix",
    r"go(es)? on|went on|gone on": "continues, resumes",
    r"once more|all the same": "again, anyway",
    r"puts?": "write, store, upload",
    r"begun|settled?|still_pending": "the status, and a method named after it",
    r"gone|given out|anew": "unavailable, returned, recreated, again",
    r"whoever|somebody|nobody|everybody": "the task, the caller, users, people",
    r"facts, [CDI]": "the name of the assumption",
}
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]+`|^--8<--.*?$|^:::.*?$|\]\([^)]*\)", re.MULTILINE | re.DOTALL)


def prose_of(text: str) -> str:
    """Blank out code, quoted names and addresses of links; lines keep their numbers."""
    return _CODE.sub(lambda code: "\n" * code[0].count("\n"), text)


def unused_words_in(text: str) -> list[str]:
    """List each word of the table with its line and what to write in its place."""
    found = []
    for number, line in enumerate(prose_of(text).splitlines(), start=1):
        for pattern, better in WORDS.items():
            found += [
                f"line {number}: {word[0]!r}, write: {better}"
                for word in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", line, re.IGNORECASE)
                if word[0] != "PUT"  # of HTTP
            ]
    return found


@pytest.mark.parametrize("page", [*PAGES, *RESULTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_uses_the_words_of_the_field(page):
    assert unused_words_in(page.read_text()) == []


def comments_of(source: str) -> str:
    """Give the docstrings and comments of a module."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join([*docstrings, *(token.string for token in tokens if token.type == tokenize.COMMENT)])


def messages_of(source: str) -> str:
    """Give the texts of several words in a module; docstrings are among them."""
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return "\n".join(text for text in constants if isinstance(text, str) and " " in text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_comments_and_messages_use_the_words_of_the_field(path):
    source = path.read_text()
    texts = comments_of(source) if path.name == WORD_LIST else comments_of(source) + messages_of(source)
    assert unused_words_in(texts) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_tests_use_the_words_of_the_field(path):
    names = re.findall(r"def (test_\w+)", path.read_text())
    assert unused_words_in("\n".join(name.replace("_", " ") for name in names)) == []


def test_words_are_found_in_messages():
    assert [
        found.split(": ")[1] for found in unused_words_in(messages_of("f(told, 'told', f'{told} lies there')"))
    ] == [
        "'lies', write",
    ]


def test_words_are_found_in_docstrings_and_comments_and_not_in_code():
    source = 'def f():\n    """Say it."""\n    told = "told"  # whoever reads this\n'
    assert [found.split(": ")[1] for found in unused_words_in(comments_of(source))] == [
        "'Say', write",
        "'whoever', write",
    ]


@pytest.mark.parametrize("page", [*DOCS, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_short(page):
    assert len(page.read_text().splitlines()) <= MOST_LINES


def sentences_in(text: str) -> list[str]:
    """Split prose into sentences; a list's item and a table's cell begin a new one."""
    blocks = re.split(r"\n\s*\n|\n(?= *[-|#]| *\d+\.)|\|", prose_of(text))
    return [sentence for block in blocks for sentence in re.split(r"(?<=[.:?!;])\s+", " ".join(block.split()))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_sentence_is_short(page):
    sentences = sentences_in(page.read_text())
    assert [sentence for sentence in sentences if len(sentence.split()) > MOST_WORDS_OF_A_SENTENCE] == []


def test_sentences_end_at_full_stops_items_and_cells():
    assert sentences_in("One, two. Three\nfour.\n- Five\n\n| six | seven |")[:3] == [
        "One, two.",
        "Three four.",
        "- Five",
    ]


def test_readme_is_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text().split()) <= MOST_WORDS_OF_README


def test_words_are_found_in_prose_and_not_in_code():
    assert unused_words_in("Fine.\nWhoever is told of an answer of 429.") == [
        "line 2: 'told', write: reports, logs, returns, raises; is",
        "line 2: 'answer of 429', write: a 429 response",
        "line 2: 'Whoever', write: the task, the caller, users, people",
    ]
    assert unused_words_in("```\ntold\n```\nThe field `next_look`, one PUT, `told`, a stand-in, [a](b/told.md).") == []
