"""What strangers' containers try, and what comes of it: on a real engine, with a real shell."""

import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from submissions.container import run
from submissions.engine import Engine
from submissions.output import LoopOutput, OutputFault
from submissions.sandbox import USER, Job
from tests.images.syscall_probe import legacy_probe, probe
from tests.sandbox import MIB, SMALL, Attacked, assert_nothing_left

Attack = Callable[..., Attacked]
QUICK = SMALL.model_copy(update={"seconds_per_case": 1})
EPERM, ENOSYS = 1, 38
FILLED = "dd if=/dev/zero of={0}/fill bs=64k 2>/dev/null; stat -c %s {0}/fill"


def test_a_fork_bomb_ends_with_its_container(attack: Attack) -> None:
    attacked = attack("b() { b | b & b; }; b; sleep 30", limits=QUICK)

    assert "can't fork" in attacked.outcome.log
    assert not attacked.outcome.succeeded


def test_processes_are_limited(attack: Attack) -> None:
    attacked = attack("for i in $(seq 200); do sleep 3 & done; echo all of them")

    assert "all of them" not in attacked.lines
    assert attacked.outcome.exit_code == 2


def test_a_memory_hog_is_killed_and_told_so(attack: Attack) -> None:
    attacked = attack("dd if=/dev/zero of=/dev/null bs=200M")

    assert attacked.outcome.exit_code == 137
    assert attacked.outcome.out_of_memory
    assert attacked.outcome.peak_memory == SMALL.memory


def test_a_child_that_runs_out_of_memory_is_noticed_behind_its_parent(
    attack: Attack, sandbox_engine: Engine
) -> None:
    attacked = attack("dd if=/dev/zero of=/dev/null bs=200M; sleep 0.5; exit 0")

    told_by_engine = not sandbox_engine.facts().podman
    assert attacked.outcome.exit_code == 0
    assert attacked.outcome.out_of_memory == told_by_engine


def test_every_writable_place_is_full_at_its_limit(attack: Attack, load_image: Callable[..., str]) -> None:
    image = load_image("volume", config={"Volumes": {"/scratch": {}, "/mnt/pred": {}, "/tmp": {}}})
    places = {
        "/tmp": SMALL.temporary,
        "/dev/shm": SMALL.shared_memory,
        "/scratch": MIB,
        "/mnt/pred": 2 * SMALL.output_per_case,
    }

    script = "; ".join(f"{FILLED.format(place)}; rm {place}/fill" for place in places)
    attacked = attack(script, image_id=image, image_volumes=("/scratch", "/mnt/pred", "/tmp"))

    sizes = dict(zip(places, map(int, attacked.lines), strict=True))
    assert all(size <= places[place] for place, size in sizes.items() if place != "/mnt/pred"), sizes
    assert places["/mnt/pred"] <= sizes["/mnt/pred"] <= 1.01 * places["/mnt/pred"] + MIB / 4
    assert not attacked.outcome.out_of_memory


def test_nothing_else_is_writable(attack: Attack, load_image: Callable[..., str]) -> None:
    image = load_image("folders", files={"/workspace/run.sh": b"", "/var/tmp/x": b"", "/run/x": b""})

    attacked = attack(
        'find / -path /proc -prune -o -type d -print | while read d; do (: > "$d/x") 2>&- && echo "$d"; done',
        image_id=image,
    )

    limited_by_podman = {"/var/tmp"}
    assert set(attacked.lines) - limited_by_podman == {"/tmp", "/dev/shm", "/mnt/pred", "/dev/mqueue"}


@pytest.mark.parametrize(
    ("place", "limit"), [("/tmp", SMALL.temporary_inodes), ("/mnt/pred", SMALL.output_inodes + 32)]
)
def test_files_without_content_are_limited(
    attack: Attack, sandbox_engine: Engine, place: str, limit: int
) -> None:
    attacked = attack(f"cd {place}; for i in $(seq 1000); do (: > $i) 2>&- || break; done; ls | wc -l")

    only_memory_limits = sandbox_engine.facts().podman and place == "/tmp"
    assert limit / 2 < int(attacked.lines[-1]) <= (1000 if only_memory_limits else limit)


def test_an_output_out_of_inodes_is_full(attack: Attack) -> None:
    attacked = attack("for i in $(seq 1000); do : > /mnt/pred/$i; done")

    assert attacked.outcome.output_full
    assert attacked.outcome.exit_code != 0


def test_a_participant_can_write_what_was_promised_and_hardly_more(attack: Attack) -> None:
    promised = 2 * SMALL.output_per_case
    each = promised // 32
    many = f"for i in $(seq 32); do dd if=/dev/zero of=/mnt/pred/$i bs={each} count=1 || exit 9; done"

    exact = attack(f"{many} 2>/dev/null; stat -c %s /mnt/pred/* | awk '{{n += $1}} END {{print n}}'")
    more = attack(
        f"{many} 2>/dev/null; dd if=/dev/zero of=/mnt/pred/more bs=4k 2>&-; stat -c %s /mnt/pred/more"
    )

    assert exact.outcome.exit_code == 0
    assert exact.lines == [str(promised)]
    assert not exact.outcome.output_full
    assert more.outcome.output_full
    assert int(more.lines[-1]) <= 0.01 * promised + MIB / 4


def test_a_file_of_ten_gigabytes_is_stopped_even_if_sparse(attack: Attack) -> None:
    attacked = attack(
        "truncate -s 10G /mnt/pred/a; truncate -s 10G /tmp/a; fallocate -l 1G /mnt/pred/b; sleep 0.1;"
        "stat -c %s /mnt/pred/a /mnt/pred/b /tmp/a"
    )

    assert attacked.lines.count("File size limit exceeded") == 3
    assert attacked.lines.count("0") == 3


def test_outputs_that_are_no_files_stay_what_they_are(attack: Attack) -> None:
    attacked = attack(
        "cd /mnt/pred; ln -s /etc/passwd link; mkfifo pipe; mkdir -p folder/in/folder; echo 1 > a; ln a b;"
        "mknod null c 1 3; mknod disk b 7 0; chmod 4777 a; touch './-rf *' \"$(printf 'new\\nline')\""
    )

    assert attacked.kinds == {
        "link": stat.S_IFLNK,
        "pipe": stat.S_IFIFO,
        "folder": stat.S_IFDIR,
        "a": stat.S_IFREG,
        "b": stat.S_IFREG,
        "-rf *": stat.S_IFREG,
        "new\nline": stat.S_IFREG,
    }


def test_programs_run_from_tmp_but_not_from_the_output(attack: Attack) -> None:
    attacked = attack(
        "for d in /tmp /mnt/pred /dev/shm; do cp /bin/busybox $d/true; chmod 755 $d/true; $d/true 2>&-;"
        "echo $?; done"
    )

    assert attacked.lines == ["0", "126", "126"]


def test_there_are_no_privileges(attack: Attack, load_image: Callable[..., str]) -> None:
    image = load_image("root", config={"User": "0:0"})

    attacked = attack(
        "id -u; id -g; hostname; cat /proc/self/oom_score_adj /proc/self/status", image_id=image
    )

    status = dict(line.split(":\t", 1) for line in attacked.lines[4:] if ":\t" in line)
    assert attacked.lines[:4] == [str(USER), str(USER), "moodarena", "1000"]
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize(
    "command",
    [
        "mount -t tmpfs none /tmp",
        "umount /mnt/data",
        "mount -o remount,rw /",
        "unshare -U true",
        "unshare -r true",
        "mknod /tmp/disk b 7 0",
        "hostname other",
        "echo 1 > /proc/sys/kernel/panic",
        "rm /mnt/data/case_0.nii.gz",
        "touch /mnt/data/case_2.nii.gz",
        "chmod 777 /mnt/data",
        "ulimit -c 1",
        "ulimit -n 257",
    ],
)
def test_what_needs_a_privilege_fails(attack: Attack, command: str) -> None:
    attacked = attack(f"({command}) 2>/dev/null; echo $?")

    assert attacked.lines[-1] != "0"


def test_system_calls_that_lead_to_the_kernel_are_denied(attack: Attack, cases: Path) -> None:
    new_user = 0x10000000
    denied = {
        "io_uring_setup": probe(425, 1),
        "ptrace_traceme": probe(101),
        "process_vm_readv": probe(310, 1),
        "pidfd_getfd": probe(438),
        "bpf": probe(321),
        "perf_event_open": probe(298),
        "userfaultfd": probe(323),
        "keyctl": probe(250),
        "add_key": probe(248),
        "unshare": probe(272, new_user),
        "setns": probe(308),
        "clone_new_user": probe(56, new_user | 17),
        "mount": probe(165),
        "open_by_handle_at": probe(304),
        "mq_open": probe(240),
        "no_randomisation": probe(135, 0x40000),
        "vsock": probe(41, 40, 1),
        "crypto_socket": probe(41, 38, 5),
        "packet_socket": probe(41, 17, 3),
        "netfilter_socket": probe(41, 16, 3, 12),
    }
    for name, program in denied.items():
        _executable(cases / name, program)

    attacked = attack(f"for name in {' '.join(denied)}; do /mnt/data/$name; echo $name $?; done")

    assert attacked.lines == [f"{name} {EPERM}" for name in denied]


def test_system_calls_that_programs_need_are_allowed(attack: Attack, cases: Path) -> None:
    _executable(cases / "unix", probe(41, 1, 1))
    _executable(cases / "inet", probe(41, 2, 1))
    _executable(cases / "route", probe(41, 16, 3, 0))
    _executable(cases / "personality", probe(135, 0xFFFFFFFF))
    _executable(cases / "clone3", probe(435))

    attacked = attack("for name in unix inet route personality clone3; do /mnt/data/$name; echo $?; done")

    assert attacked.lines == ["0", "0", "0", "0", str(ENOSYS)]


def test_the_table_of_32_bit_system_calls_is_closed(attack: Attack, cases: Path) -> None:
    _executable(cases / "legacy", legacy_probe(20))

    attacked = attack("/mnt/data/legacy; echo $?")

    assert set(attacked.lines) == {"Bad system call", str(128 + signal.SIGSYS)}


def test_there_is_no_network_not_even_to_this_machine(attack: Attack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attacked = attack(f"ls /sys/class/net; nc -w 2 127.0.0.1 {port} < /dev/null 2>&- && echo connected")

    assert attacked.lines[0] == "lo"
    assert "connected" not in attacked.lines


def test_a_container_that_ignores_signals_ends_at_its_limit(attack: Attack) -> None:
    attacked = attack("trap '' TERM INT HUP QUIT; while :; do sleep 1; done", limits=QUICK)

    assert attacked.outcome.timed_out
    assert attacked.outcome.exit_code is None
    assert 2 <= attacked.outcome.wall_seconds < 4


def test_a_daemon_does_not_outlive_its_container(attack: Attack) -> None:
    attacked = attack("setsid sh -c 'while :; do date >> /mnt/pred/late; sleep 0.1; done' & sleep 0.3")

    assert attacked.outcome.exit_code == 0
    assert attacked.outcome.wall_seconds < 2


def test_killing_everything_ends_nobody_else(attack: Attack) -> None:
    attacked = attack("sleep 60 & kill -9 1; kill -9 -1; wait; echo still here")

    assert attacked.lines == ["still here"]
    assert attacked.outcome.exit_code == 0


@pytest.mark.parametrize("exact", [True, False])
def test_an_image_without_a_shell_fails_with_an_explanation(
    attack: Attack, load_image: Callable[..., str], exact: bool
) -> None:
    attacked = attack("echo hello", exact=exact, image_id=load_image("shellless", shell=False))

    assert attacked.outcome.exit_code not in (0, None)
    assert "No such file or directory" in attacked.outcome.log
    assert attacked.kinds == {}


def test_a_program_for_another_machine_fails_with_an_explanation(attack: Attack, cases: Path) -> None:
    foreign = bytearray(probe(39))
    foreign[18] = 183  # AArch64
    _executable(cases / "foreign", bytes(foreign))

    attacked = attack("", command=["/mnt/data/foreign"])

    assert attacked.outcome.exit_code not in (0, None)
    assert "/mnt/data/foreign" in attacked.outcome.log


def test_what_the_image_says_of_its_start_is_ignored(attack: Attack, load_image: Callable[..., str]) -> None:
    config = {
        "Entrypoint": ["false"],
        "Cmd": ["false"],
        "Healthcheck": {"Test": ["CMD", "touch", "/tmp/checked"], "Interval": 1_000_000_000},
        "Env": ["HOME=/root", "NVIDIA_VISIBLE_DEVICES=all"],
        "StopSignal": "SIGCONT",
    }

    attacked = attack(
        "sleep 2; echo $HOME $NVIDIA_VISIBLE_DEVICES; ls /tmp", image_id=load_image("entry", config=config)
    )

    assert attacked.lines == ["/tmp void"]


@pytest.mark.parametrize("exact", [True, False])
def test_links_in_the_image_do_not_move_the_output(
    attack: Attack, sandbox_engine: Engine, load_image: Callable[..., str], exact: bool
) -> None:
    image = load_image("linked", links={"/mnt/pred": "/tmp/elsewhere", "/mnt/data": "/dev/shm"})
    script = "ls /mnt/data; echo 1 > /mnt/pred/a"

    if sandbox_engine.facts().podman:  # it mounts the folder, but cannot show that it did
        with pytest.raises(OutputFault):
            attack(script, image_id=image, exact=exact)
        return
    attacked = attack(script, image_id=image, exact=exact)

    assert attacked.lines == ["case_0.nii.gz", "case_1.nii.gz"]
    assert attacked.contents == {"a": b"1\n"}


@pytest.mark.parametrize("path", ["/mnt", "/mnt/pred", "/tmp"])
def test_an_image_with_a_file_where_a_folder_must_be_never_runs(
    attack: Attack, load_image: Callable[..., str], path: str
) -> None:
    attacked = attack("echo hello", image_id=load_image(f"file{path.replace('/', '-')}", files={path: b""}))

    assert attacked.outcome.exit_code is None
    assert not attacked.outcome.succeeded
    assert "not a directory" in attacked.outcome.cause


def test_a_flood_of_log_leaves_its_last_part(attack: Attack) -> None:
    attacked = attack("yes a flood of words | head -c 30000000; sleep 0.5; echo; echo the end")

    assert attacked.outcome.exit_code == 0
    assert len(attacked.outcome.log.encode()) <= SMALL.log
    assert attacked.lines[-1] == "the end"


def test_a_log_is_shown_without_its_tricks(attack: Attack) -> None:
    attacked = attack("printf '\\033[2Jgone\\r\\000 \\377 \\303\\244\\n'")

    assert attacked.lines == ["␛[2Jgone", "␀ \ufffd ä"]


def test_an_output_in_memory_is_limited_and_only_flat_files_leave_it(attack: Attack) -> None:
    filled = attack(FILLED.format("/mnt/pred"), exact=False)
    mixed = attack(
        "cd /mnt/pred; echo 1 > a; ln -s /etc/passwd link; ln a again; mkfifo pipe; mkdir d; echo 2 > d/b;"
        "truncate -s 60M sparse; echo 3 > z",
        exact=False,
    )

    assert filled.lines == [str(2 * SMALL.output_per_case)]
    assert filled.outcome.output_full
    assert not filled.outcome.out_of_memory
    assert set(mixed.kinds) - {"a", "again"} == {"z"}
    assert len(set(mixed.kinds) & {"a", "again"}) == 1


def test_an_image_never_runs_on_an_output_that_is_not_ours(
    sandbox_engine: Engine, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    class Swapped(LoopOutput):
        def prepare(self) -> str:
            volume = super().prepare()
            self._engine.remove_volume(volume)
            return self._engine.create_volume(self._job.name, {})

    job = make_job("echo 1 > /mnt/pred/a")
    output = Swapped(sandbox_engine, job, tmp_path / "outputs")

    with pytest.raises(OutputFault, match="not the output folder made for it"):
        run(sandbox_engine, job, output)
    output.discard()
    assert_nothing_left(sandbox_engine, job, tmp_path / "outputs")


@pytest.mark.slow
def test_a_gigabyte_is_promised_and_kept(attack: Attack) -> None:
    limits = SMALL.model_copy(update={"output_per_case": 512 * MIB, "file_size": 4096 * MIB})

    attacked = attack(
        f"dd if=/dev/zero of=/mnt/pred/a bs=1M count=1024 2>&- && {FILLED.format('/mnt/pred')}", limits=limits
    )

    assert attacked.outcome.output_full
    assert int(attacked.lines[-1]) <= 0.011 * 1024 * MIB
    assert not attacked.outcome.out_of_memory


@pytest.mark.slow
def test_a_flood_of_empty_files_in_shared_memory_ends_in_the_memory_limit(attack: Attack) -> None:
    attacked = attack("cd /dev/shm; seq 10000000 | while read i; do : > $i || exit 1; done", limits=SMALL)

    assert attacked.outcome.out_of_memory or attacked.outcome.timed_out
    assert attacked.outcome.peak_memory <= SMALL.memory


def _executable(path: Path, program: bytes) -> None:
    path.write_bytes(program)
    path.chmod(0o755)
