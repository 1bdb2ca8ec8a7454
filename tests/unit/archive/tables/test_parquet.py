# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import subprocess
import sys
from datetime import datetime, timezone

import pyarrow.parquet as pq
import pytest

from lessonspace_provider.archive.tables.columns import TABLES
from lessonspace_provider.archive.tables.parquet import TableMetadata, file_of

LARGEST = {
    "string": "é\U0001f389\n'\"\\",
    "bigint": 2**63 - 1,
    "double": 1.7976931348623157e308,
    "timestamp": datetime.max.replace(tzinfo=timezone.utc),
    "boolean": True,
}
SMALLEST = {
    "string": "",
    "bigint": -(2**63),
    "double": 5e-324,
    "timestamp": datetime.min.replace(tzinfo=timezone.utc),
    "boolean": False,
}


@pytest.mark.parametrize("table", TABLES)
def test_values_are_read_as_they_were_written(table):
    rows = [
        tuple(LARGEST[column.type] for column in TABLES[table]),
        tuple(SMALLEST[column.type] for column in TABLES[table]),
        tuple(None if column.null else LARGEST[column.type] for column in TABLES[table]),
        tuple(0.1 + 0.2 if column.type == "double" else SMALLEST[column.type] for column in TABLES[table]),
    ]
    read = pq.read_table(io.BytesIO(file_of(table, rows, TableMetadata("digest")))).to_pylist()
    assert [tuple(row.values()) for row in read] == rows


def test_writing_a_file_imports_no_pandas():
    """Of pandas, which pyarrow imports to look at values where it is installed, each task would pay 50 MB."""
    pytest.importorskip("pandas", reason="it is what must not be imported")
    program = (
        "import sys\n"
        "from lessonspace_provider.archive.tables.parquet import TableMetadata, file_of\n"
        "data = file_of('people', [('id', 1, None, 'Ann', 1.5, 2)], TableMetadata('digest'))\n"
        "assert TableMetadata.of(data).digest == 'digest'\n"
        "print('pandas' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
