# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import fcntl
import os
import shutil

import pytest

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceRateLimitedError
from lessonspace_provider.rate_limit import gate as rate_limit
from lessonspace_provider.rate_limit.file_lock import FileLock
from lessonspace_provider.rate_limit.gate import OpenGate, RateGate, RateLimitSettings, gate_for, state_directory
from lessonspace_provider.rate_limit.pace import RESERVATION_LAPSES
from lessonspace_provider.rate_limit.stores import LocalPaceStore
from tests.users import ANOTHER_USER, NEEDS_ROOT

KEY = "3f0d3c7e-8d2f-4c37-9d0c-3b7f0f5d6a11"


@pytest.fixture
def naps():
    return []


@pytest.fixture
def gate(tmp_path, naps):
    return RateGate(
        FileLock(tmp_path / "t"), LocalPaceStore(tmp_path / "p"), "here", per_second=5, max_wait=3.0, sleep=naps.append
    )


def test_a_pause_that_is_longer_than_the_longest_wait_is_an_error_at_once_that_names_what_to_change(gate, naps):
    gate.pause(60.0)
    words = r"rate_limit_max_wait=3 s\): after 0 s in the queue, the next permit would come in 60 s.*pause.*raise"
    with pytest.raises(LessonspaceRateLimitedError, match=words) as caught:
        gate.acquire()
    assert naps == []
    assert caught.value.__context__ is None


def test_a_queue_that_is_longer_than_the_longest_wait_is_an_error(tmp_path):
    gate = RateGate(FileLock(tmp_path / "t"), LocalPaceStore(tmp_path / "p"), "here", per_second=5, max_wait=0.05)
    words = "other callers on this machine were ahead in the queue"
    with FileLock(tmp_path / "t").entered(1.0), pytest.raises(LessonspaceRateLimitedError, match=words):
        gate.acquire()
    gate.acquire()  # whoever gave up has left the queue


def test_zero_turns_the_gate_off(tmp_path):
    gate = gate_for(KEY, "http://a", RateLimitSettings(0, 1.0, str(tmp_path)))
    assert isinstance(gate, OpenGate)
    for _ in range(100):
        gate.acquire()
    gate.pause(1000.0)
    gate.acquire()
    assert list(tmp_path.iterdir()) == []


def test_all_hooks_of_a_process_share_a_gate_per_key(tmp_path):
    settings = RateLimitSettings(5, 600.0, str(tmp_path))
    assert gate_for(KEY, "http://a", settings) is gate_for(KEY, "http://a", settings)
    assert gate_for(KEY, "http://a", settings) is not gate_for("another", "http://a", settings)


@pytest.mark.parametrize(
    ("url", "other", "same"),
    [
        ("https://api.example/v2", "https://API.example:443/v2/", True),
        ("http://api.example:80/v2", "http://api.example/v3", True),
        ("https://api.example/v2", "https://api.example:8443/v2", False),
        ("https://api.example/v2", "https://api2.example/v2", False),
    ],
)
def test_a_key_has_one_queue_per_host_however_its_url_is_written(tmp_path, url, other, same):
    settings = RateLimitSettings(5, 600.0, str(tmp_path))
    for base_url in (url, other):
        gate_for("one queue", base_url, settings).acquire()
    assert len(list(tmp_path.glob("*.lock"))) == (1 if same else 2)


def test_what_another_start_of_the_machine_has_left_does_not_count(tmp_path, monkeypatch):
    for boot, passes in (("first", 1), ("second", 2)):
        monkeypatch.setattr(rate_limit, "_boot_id", lambda boot=boot: boot)
        gate_for(KEY, f"http://boot:{passes}", RateLimitSettings(5, 600.0, str(tmp_path / "each"))).acquire()
    assert len(list((tmp_path / "each").glob("*.first.pace"))) == 1
    assert len(list((tmp_path / "each").glob("*.second.pace"))) == 1


def test_the_files_carry_a_hash_and_not_the_key_and_belong_to_this_user_alone(tmp_path):
    directory = tmp_path / "state"
    gate_for(KEY, "http://files", RateLimitSettings(5, 600.0, str(directory))).acquire()
    assert directory.stat().st_mode & 0o777 == 0o700
    for path in directory.iterdir():
        assert KEY not in path.name
        assert KEY.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_the_state_is_in_airflows_home_when_that_can_be_written_to(tmp_path):
    assert state_directory(None, {"AIRFLOW_HOME": str(tmp_path)}).parent == tmp_path


def test_otherwise_it_is_in_a_private_folder_of_the_user_under_the_temporary_directory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    directory = state_directory(None, {"AIRFLOW_HOME": str(tmp_path / "nowhere")})
    assert directory == tmp_path / f"lessonspace_rate_limit_{os.getuid()}"
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o1777])
@pytest.mark.parametrize("configured", [True, False])
def test_folder_that_other_users_can_enter_is_refused_with_the_cure(tmp_path, monkeypatch, mode, configured):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"lessonspace_rate_limit_{os.geteuid()}"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(LessonspaceInputError) as caught:
        state_directory(str(folder) if configured else None, {"AIRFLOW_HOME": str(tmp_path / "nowhere")})
    assert str(caught.value) == (
        f"rate_limit_dir='{folder}' was refused: its mode {mode:04o} lets other users in. It must belong to the user "
        f"that runs Airflow, with mode 0700: set rate_limit_dir in the connection to such a folder, or to a folder "
        f"that does not exist yet."
    )
    folder.chmod(0o700)
    assert state_directory(str(folder), {}) == folder


def test_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    (tmp_path / "lessonspace_rate_limit_4711").mkdir(mode=0o700)
    with pytest.raises(LessonspaceInputError, match=r"rate_limit_dir=.* was refused: it belongs to the user with id"):
        state_directory(None, {"AIRFLOW_HOME": str(tmp_path / "nowhere")})


@NEEDS_ROOT
def test_link_of_another_user_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to("real")
    os.lchown(tmp_path / "state", ANOTHER_USER, -1)
    os.chown(tmp_path, ANOTHER_USER, -1)
    with pytest.raises(
        LessonspaceInputError, match=f"was refused: it is a link that the user with id {ANOTHER_USER} made"
    ):
        state_directory(str(tmp_path / "state"), {})
    assert list((tmp_path / "real").iterdir()) == []


@NEEDS_ROOT
def test_no_folder_is_made_over_a_link_of_another_user(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    os.lchown(tmp_path / "link", ANOTHER_USER, -1)
    with pytest.raises(LessonspaceInputError, match=r"can't be used \(.*/link is a link that the user with id"):
        state_directory(str(tmp_path / "link" / "state"), {})
    assert list((tmp_path / "real").iterdir()) == []


def test_own_link_to_a_private_folder_is_followed(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to("real")
    gate_for(KEY, "http://own-link", RateLimitSettings(50, 600.0, str(tmp_path / "state"))).acquire()
    assert {file.suffix for file in (tmp_path / "real").iterdir()} >= {".pace", ".lock"}


def test_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(LessonspaceInputError, match=r"rate_limit_dir=.* can't be used"):
        state_directory(str(tmp_path / "state"), {})


def test_folder_that_is_opened_to_others_later_is_refused_then(tmp_path):
    folder = tmp_path / "state"
    gate = gate_for(KEY, "http://opened-later", RateLimitSettings(50, 600.0, str(folder)))
    gate.acquire()
    folder.chmod(0o777)
    for ask in (gate.acquire, lambda: gate.pause(1.0)):
        with pytest.raises(LessonspaceError, match="its mode 0777 lets other users in") as caught:
            ask()
        assert not isinstance(caught.value, LessonspaceInputError)


@pytest.mark.parametrize("suffix", ["lock", "pace"])
@pytest.mark.parametrize("target", ["fifo", "/dev/zero", "nowhere"])
def test_link_in_place_of_a_file_is_an_error_at_once(tmp_path, suffix, target):
    os.mkfifo(tmp_path / "fifo")
    folder = tmp_path / "state"
    gate = gate_for(KEY, f"http://link-{suffix}-{target}", RateLimitSettings(50, 600.0, str(folder)))
    gate.acquire()
    (path,) = folder.glob(f"*.{suffix}")
    path.unlink()
    path.symlink_to(tmp_path / target)
    with pytest.raises(LessonspaceError, match=r"rate_limit_dir=.* can't be used"):
        gate.acquire()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("suffix", ["lock", "pace"])
def test_fifo_in_place_of_a_file_is_an_error_at_once(tmp_path, suffix):
    folder = tmp_path / "state"
    gate = gate_for(KEY, f"http://fifo-{suffix}", RateLimitSettings(50, 600.0, str(folder)))
    gate.acquire()
    (path,) = folder.glob(f"*.{suffix}")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(LessonspaceError, match=rf"{path.name} in it is no regular file of this user's"):
        gate.acquire()


@NEEDS_ROOT
def test_file_of_another_user_is_an_error_at_once(tmp_path):
    folder = tmp_path / "state"
    gate = gate_for(KEY, "http://foreign-file", RateLimitSettings(50, 600.0, str(folder)))
    gate.acquire()
    (path,) = folder.glob("*.pace")
    os.chown(path, ANOTHER_USER, -1)
    with pytest.raises(LessonspaceError, match="no regular file of this user's"):
        gate.acquire()


def test_pace_that_a_stopped_process_has_locked_is_an_error_and_not_a_wait_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.rate_limit.stores.LOCK_SECONDS", 0.05)
    folder = tmp_path / "state"
    gate = gate_for(KEY, "http://stopped", RateLimitSettings(50, 600.0, str(folder)))
    gate.acquire()
    (path,) = folder.glob("*.pace")
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for ask in (gate.acquire, lambda: gate.pause(1.0)):
            with pytest.raises(LessonspaceError, match=r"can't be used \(another process has locked it for 0.05 s\)"):
                ask()
    gate.acquire()


def test_a_directory_in_the_home_of_no_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LessonspaceInputError, match=r"rate_limit_dir='~no_such_user/x' was refused.*absolute path"):
        state_directory("~no_such_user/x", {})
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_can_not_be_made_is_named():
    with pytest.raises(LessonspaceInputError, match=r"rate_limit_dir.*/dev/null/x.*local disk"):
        state_directory("/dev/null/x", {})


@pytest.mark.parametrize("kind", ["machine", "pod", "container"])
def test_in_a_container_the_log_notes_once_that_the_limit_holds_there_only(tmp_path, monkeypatch, caplog, kind):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(rate_limit, "DOCKER_MARK", tmp_path / "mark")
    if kind == "pod":
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    elif kind == "container":
        (tmp_path / "mark").touch()
    caplog.set_level("INFO", logger=rate_limit.__name__)
    for _ in range(3):
        monkeypatch.setattr(rate_limit, "_gates", {})  # as in another process
        gate_for(KEY, f"http://{kind}", RateLimitSettings(5, 600.0, str(tmp_path)))
    said = [record for record in caplog.records if "covers this container only" in record.getMessage()]
    assert len(said) == (0 if kind == "machine" else 1)


@pytest.mark.parametrize(
    "settings", [RateLimitSettings(0, 600.0), RateLimitSettings(5, 600.0, redis_conn_id="redis_default")]
)
def test_limit_that_is_shared_or_off_needs_no_notice(monkeypatch, settings):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert rate_limit.scope_notice(RateLimitSettings(5, 600.0)) is not None
    assert rate_limit.scope_notice(settings) is None


def test_a_clock_that_steps_back_blocks_no_one(gate, naps, monkeypatch):
    gate.acquire()
    monkeypatch.setattr("time.time", lambda: -60.0)
    monkeypatch.setattr("time.time_ns", lambda: -60_000_000_000)
    gate.acquire()
    assert naps
    assert max(naps) < 1.0


class FarStore:
    """A store that takes its time to answer: the slot comes at ``slot``, on a clock that only moves when asked to."""

    def __init__(self, trip, slot):
        self.now, self.trip, self.slot, self.asked = 0.0, trip, slot, []
        self.stalls, self.delays = 0.0, []

    def delay(self, seconds):
        self.delays.append(seconds)

    def take(self, per_second, host):
        self.now += self.trip / 2
        self.asked.append(self.now)
        wait = max(0.0, self.slot - self.now)
        self.now += self.trip / 2 + (0.0 if wait else self.stalls)
        return wait

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize("slot", [0.03, 0.05, 0.2, 3.0])
def test_a_far_store_is_asked_ahead_so_that_the_permit_comes_with_the_slot(tmp_path, slot):
    store = FarStore(trip=0.04, slot=slot)
    RateGate(
        FileLock(tmp_path / "t"),
        store,
        "here",
        per_second=5,
        max_wait=10.0,
        clock=lambda: store.now,
        sleep=store.sleep,
    ).acquire()
    assert len(store.asked) == 2
    assert slot <= store.asked[-1] <= max(slot, store.asked[0] + store.trip) + 0.25 * store.trip


@pytest.mark.parametrize(
    ("stalls", "delays"), [(0.0, []), (0.015, []), (0.06, [pytest.approx(0.06)]), (60.0, [RESERVATION_LAPSES])]
)
def test_a_machine_that_continues_late_with_its_permit_makes_the_others_wait_as_much_longer(tmp_path, stalls, delays):
    store = FarStore(trip=0.04, slot=3.0)
    store.stalls = stalls
    gate = RateGate(
        FileLock(tmp_path / "t"),
        store,
        "here",
        per_second=5,
        max_wait=10.0,
        clock=lambda: store.now,
        sleep=store.sleep,
    )
    gate.acquire()
    assert store.delays == delays


# --- Files that can't be used, or not any more -----------------------------------------------------------------------


def test_a_directory_that_was_removed_meanwhile_is_made_again(tmp_path):
    directory = tmp_path / "state"
    gate = gate_for(KEY, "http://removed", RateLimitSettings(50, 10.0, str(directory)))
    for ask in (gate.acquire, lambda: gate.pause(0.0)):
        ask()
        shutil.rmtree(directory)
        ask()
        assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("function", ["os.open", "os.pwrite", "os.ftruncate", "fcntl.flock"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOLCK])
def test_files_that_can_not_be_used_are_an_error_at_once_that_names_their_folder(
    tmp_path, monkeypatch, function, number
):
    gate = gate_for(KEY, f"http://{function}-{number}", RateLimitSettings(50, 600.0, str(tmp_path)))
    gate.acquire()

    def fail(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(function, fail)
        for ask in (gate.acquire, lambda: gate.pause(1.0)):
            with pytest.raises(LessonspaceError, match=r"rate_limit_dir=.*can't be used") as caught:
                ask()
            assert not isinstance(caught.value, LessonspaceInputError), "a later try may find the disk good again"
            assert str(tmp_path) in str(caught.value)
            assert os.strerror(number) in str(caught.value)
            assert "local disk with free space" in str(caught.value)
    gate.acquire()


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    gate = gate_for(KEY, "http://link", RateLimitSettings(50, 600.0, str(tmp_path / "state")))
    gate.acquire()
    (pace,) = (tmp_path / "state").glob("*.pace")
    pace.unlink()
    pace.symlink_to(victim)
    with pytest.raises(LessonspaceError, match="rate_limit_dir"):
        gate.acquire()
    assert victim.read_text() == "precious"


def test_a_user_without_a_home_needs_none(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it does for a user the machine does not know
    assert state_directory(None, {}).parent == tmp_path


def test_a_pace_far_ahead_of_a_machine_that_was_started_again_stops_no_one(tmp_path):
    (tmp_path / "p").write_bytes(b'{"next_slot": 1e12, "slowness": 1.0, "paused_until": 1e12, "slots": {}}')
    RateGate(FileLock(tmp_path / "t"), LocalPaceStore(tmp_path / "p"), "here", per_second=5, max_wait=0.1).acquire()
