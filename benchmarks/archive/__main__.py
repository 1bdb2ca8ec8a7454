# SPDX-License-Identifier: Apache-2.0
"""
A night's transcripts: the archive operator beside a DAG of the http provider's operators.

Usage: python -m benchmarks.archive [--quick] [--output benchmarks/archive/results.md]

Each DAG runs on an Airflow of its own (LocalExecutor, PostgreSQL), one after the other, against a sandbox of its own
with the same sessions and the same faults. All servers are this run's own, on loopback. Takes about twelve minutes,
``--quick`` three, most of it Airflow's start, and does not judge how long the archive took.
Exit status: 1 if this provider's DAG missed a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.archive.memory import Memory, measure_memory
from benchmarks.archive.runs import RATE, Outcome, Size, Way, run
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from scripts.progress import Progress

DISTRIBUTIONS = (
    "airflow-provider-lessonspace",
    "apache-airflow",
    "apache-airflow-providers-http",
    "requests",
    "psycopg2-binary",
)

WAYS: dict[Way, str] = {
    "provider": "LessonspaceArchiveTranscriptsOperator",
    "http_operator": "HttpOperator, mapped",
}

FULL = Size(ready=185, others=5, fault_every=25, tasks_at_once=8, megabytes=50)
QUICK = Size(ready=9, others=1, fault_every=5, tasks_at_once=2, megabytes=5)

#: The archive is to take no longer than this, as a multiple of the fewest calls at the full rate.
LONGEST = 1.15

#: It is to need no more memory above an idle process, as a multiple of the JSON files of large transcripts.
MOST_MEMORY = 1.25

MEGABYTE = 1_000_000

EXPLAINED = """\
{sessions} sessions of a day: {ready} with a transcript, and {others} each whose transcript is pending, never comes, or
cannot exist because one person was alone. The sandbox accepts {rate} calls per second. Each {fault_every}th call to the
API and to the store gets a 503, each {rarer_fault_every}th is reset. LocalExecutor with {tasks_at_once} tasks at once,
PostgreSQL, everything on this one machine, whose CPU the tasks share with all servers. Both DAGs have retries=3,
retry_delay=5 s, doubling. The ideal is {ideal:.1f} s: {fewest_calls} calls, which is the fewest, at the full rate.

The http provider's DAG is a careful one. It pauses between two pages of the list, skips a 404 at once, and checks that
what it downloads is JSON. A task that fails or is skipped does not stop the downloads of the others. It has a process
per call. On a machine with few cores the CPU therefore limits its rate, and it gets fewer 429 responses than on a
larger machine. This provider's DAG writes JSON and text, the other one JSON. Lines of code are those that are not
blank, comment or docstring."""

EXPLAINED_MEMORY = """\
Resident memory of a process that runs the archive operator on one window. The JSON files are those in the archive; what
the API sends is a tenth smaller, since it has no indentation."""


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    options = options_of("archive", quick="a few sessions")
    size = QUICK if options.quick else FULL
    where, progress = machine(DISTRIBUTIONS), Progress()
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as name:
        folder = Path(name)
        memory = measured_memory(folder, size, progress)
        outcomes = {way: run(way, size, folder / way, progress) for way in WAYS}
    targets = judged(outcomes["provider"], size, in_time=not options.quick)
    if not options.quick:  # small transcripts cost a multiple of their size
        targets += judged_memory(memory)
    parts = [
        "# Archive",
        where,
        explained(size),
        comparison(outcomes, size),
        "## Large transcripts",
        wrapped(EXPLAINED_MEMORY),
        memory_table(memory),
        "## Targets of this provider's DAG",
        targets_list(targets),
    ]
    result = "\n\n".join(parts) + "\n"
    publish(result, options.output)
    return int(not all(target.met for target in targets))


def measured_memory(folder: Path, size: Size, progress: Progress) -> list[Memory]:
    """Archive large transcripts: one in one format, in two and in all, then several."""
    runs: list[Memory] = []
    for transcripts, formats in [(1, "json"), (1, "json,txt"), (1, "json,jsonl,txt,vtt,srt,csv"), (8, "json,txt")]:
        size_of_each = size.megabytes * MEGABYTE // transcripts
        runs.append(measure_memory(folder / f"memory-{len(runs)}", transcripts, size_of_each, formats))
        progress.say(f"memory is measured: {transcripts} x {formats}")
    return runs


def explained(size: Size) -> str:
    """Write what was done."""
    return wrapped(
        EXPLAINED.format(
            sessions=size.sessions,
            ready=size.ready,
            others=size.others,
            rate=RATE,
            fault_every=size.fault_every,
            rarer_fault_every=2 * size.fault_every,
            tasks_at_once=size.tasks_at_once,
            ideal=size.ideal_seconds,
            fewest_calls=size.fewest_calls,
        )
    )


def comparison(outcomes: dict[Way, Outcome], size: Size) -> str:
    """Write the table of the two ways."""
    columns = [figures(outcome, size) for outcome in outcomes.values()]
    rows = [[what, *(column[what] for column in columns)] for what in columns[0]]
    return table(("what", *(WAYS[way] for way in outcomes)), rows)


def figures(outcome: Outcome, size: Size) -> dict[str, str]:
    """List the figures of a run."""
    return {
        "transcripts lost": f"{outcome.lost} of {size.ready}",
        "sessions without a transcript whose reason is on record": f"{outcome.accounted} of {3 * size.others}",
        "seconds of the DAG run": f"{outcome.dag_run.seconds:.0f}",
        "seconds from the first call to the last": f"{outcome.call_seconds:.1f}",
        "the same as a multiple of the ideal": f"{outcome.call_seconds / size.ideal_seconds:.2f}",
        "calls to the API": str(outcome.api_calls),
        "429 responses": str(outcome.refused),
        "calls that a fault spoiled": str(outcome.spoiled),
        "tasks": str(outcome.dag_run.tasks),
        "tasks tried again": str(outcome.dag_run.retries),
        "tasks failed in the end": str(outcome.dag_run.failed_tasks),
        "rows in Airflow's database with a signed link": str(outcome.stored_links),
        "lines of DAG code": str(outcome.lines),
    }


def memory_table(memory: Sequence[Memory]) -> str:
    """Write the table of the large transcripts."""
    header = ("transcripts", "formats", "JSON files", "idle process", "at the peak", "above idle", "as their multiple")
    rows = []
    for measured in memory:
        sizes = (measured.file_bytes, measured.idle, measured.peak, measured.above_idle)
        in_megabytes = [f"{number / MEGABYTE:.0f} MB" for number in sizes]
        formats = measured.formats.replace(",", ", ")
        rows.append([str(measured.transcripts), formats, *in_megabytes, f"{measured.multiple:.1f}"])
    return table(header, rows)


def judged(outcome: Outcome, size: Size, *, in_time: bool) -> list[Target]:
    """
    Judge the run of this provider's DAG.

    :param in_time: whether to judge how long it took.
    """
    targets = [
        Target("no transcript lost", outcome.lost == 0),
        Target("every session without a transcript accounted for", outcome.accounted == 3 * size.others),
        Target(
            "no task failed, none was tried again", not outcome.dag_run.failed_tasks and not outcome.dag_run.retries
        ),
        Target("no 429 response", outcome.refused == 0),
        Target("no signed link in Airflow's database", outcome.stored_links == 0),
    ]
    if in_time:
        met = outcome.call_seconds <= LONGEST * size.ideal_seconds
        targets.append(Target(f"first call to last within {LONGEST:g} times the ideal", met))
    return targets


def judged_memory(memory: Sequence[Memory]) -> list[Target]:
    """Judge the memory that large transcripts took."""
    met = all(measured.multiple <= MOST_MEMORY for measured in memory)
    return [Target(f"large transcripts: at most {MOST_MEMORY:g} times their JSON files above idle", met)]


if __name__ == "__main__":
    raise SystemExit(main())
