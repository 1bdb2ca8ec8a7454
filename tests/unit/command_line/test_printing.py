# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

from lessonspace_provider.command_line.printing import Table, print_error, print_json, print_line, print_tables

HOSTILE = "Ann\x1b[31m\x07\r\n[bold]![/bold]\u202e https://store.example/x?X-Amz-Signature=secret"


def test_nothing_that_was_read_steers_the_terminal_or_shows_a_signature(capsys):
    print_tables([Table("Sessions [red]", ("name", "[link]"), [(HOSTILE, None)])])
    print_json({"sessions": [{HOSTILE: HOSTILE, "counts": {"a": 1}}, None, 1.5, True]})
    print_line(HOSTILE)
    print_error(HOSTILE)
    printed = "".join(capsys.readouterr())
    assert printed.isprintable() or set(filter(lambda char: not char.isprintable(), printed)) == {"\n"}
    assert "secret" not in printed
    assert printed.count("[bold]![/bold]") >= 5, "markup is shown as it is"
    assert "Sessions [red]" in printed
    assert "[link]" in printed


def test_json_keeps_numbers_and_flags(capsys):
    print_json({"a": 1, "b": None, "c": [True, 2.5], "d": {"e": "Zoë"}})
    assert json.loads(capsys.readouterr().out) == {"a": 1, "b": None, "c": [True, 2.5], "d": {"e": "Zoë"}}


def test_a_table_without_rows_is_not_printed(capsys):
    print_tables([Table("Nothing", ("a",), [])])
    assert capsys.readouterr().out == ""


def test_a_long_value_is_folded_and_never_cut(capsys):
    text = "x" * 500
    print_tables([Table("One", ("value",), [(text,)])])
    assert capsys.readouterr().out.count("x") == 500
