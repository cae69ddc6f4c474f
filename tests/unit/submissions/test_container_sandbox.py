"""Every setting of the sandbox, as it is asked of the engine."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from submissions.engine import Facts
from submissions.sandbox import SECCOMP, Job, create_request, keeper_request
from tests.unit.submissions.test_container import LIMITS

DOCKER = Facts(podman=False, version="20.10", cpus=4, kernel="6", rootless=False)
PODMAN = replace(DOCKER, podman=True)
GPU = "GPU-11111111-2222-3333-4444-555555555555"
JOB = Job(
    name="run1",
    image_id="sha256:" + "a" * 64,
    command=["sh", "/workspace/run_sample_brain.sh", "/mnt/data", "/mnt/pred"],
    input_dir=Path("/srv/cases"),
    input="/mnt/data",
    output="/mnt/pred",
    limits=LIMITS,
    cases=3,
)


def request(job: Job = JOB, facts: Facts = DOCKER, extra_memory: int = 0) -> dict[str, Any]:
    return create_request(job, facts, {"moodarena": "x"}, "the-volume", extra_memory)


def host(job: Job = JOB, facts: Facts = DOCKER, extra_memory: int = 0) -> dict[str, Any]:
    settings: dict[str, Any] = request(job, facts, extra_memory)["HostConfig"]
    return settings


def test_the_image_runs_by_id_as_nobody_with_our_command_alone() -> None:
    asked = request()

    assert asked["Image"] == JOB.image_id
    assert asked["User"] == "65534:65534"
    assert asked["Entrypoint"] == ["sh"]
    assert asked["Cmd"] == ["/workspace/run_sample_brain.sh", "/mnt/data", "/mnt/pred"]
    assert asked["Healthcheck"] == {"Test": ["NONE"]}
    assert asked["Hostname"] == "moodarena"


def test_nothing_of_the_host_is_shared() -> None:
    settings = host()

    assert settings["CapDrop"] == ["ALL"]
    assert settings["NetworkMode"] == "none"
    assert settings["IpcMode"] == "private"
    assert settings["CgroupnsMode"] == "private"
    assert settings["ReadonlyRootfs"] is True
    assert settings["Init"] is True
    assert settings["RestartPolicy"] == {"Name": "no"}
    assert "no-new-privileges" in settings["SecurityOpt"]
    assert "/proc/interrupts" in settings["MaskedPaths"]
    assert not set(settings) & {"Privileged", "CapAdd", "Devices", "PidMode", "UTSMode", "VolumesFrom"}


def test_memory_has_no_swap_and_grows_only_by_an_output_in_memory() -> None:
    assert host()["Memory"] == host()["MemorySwap"] == LIMITS.memory
    assert host(extra_memory=7)["Memory"] == host(extra_memory=7)["MemorySwap"] == LIMITS.memory + 7


def test_limits_of_the_challenge_are_asked_for() -> None:
    settings = host()

    assert settings["PidsLimit"] == LIMITS.pids
    assert settings["NanoCpus"] == 2_000_000_000
    assert settings["ShmSize"] == LIMITS.shared_memory
    assert settings["OomScoreAdj"] == 1000
    assert {limit["Name"]: (limit["Soft"], limit["Hard"]) for limit in settings["Ulimits"]} == {
        "core": (0, 0),
        "fsize": (LIMITS.file_size, LIMITS.file_size),
        "nofile": (LIMITS.open_files, LIMITS.open_files),
        "nproc": (16 * LIMITS.pids, 16 * LIMITS.pids),
    }


def test_more_processors_than_the_machine_has_are_not_asked_for() -> None:
    assert host(facts=replace(DOCKER, cpus=1))["NanoCpus"] == 1_000_000_000


def test_time_and_output_grow_with_the_cases() -> None:
    assert JOB.seconds == 3 * LIMITS.seconds_per_case
    assert JOB.output_bytes == 3 * LIMITS.output_per_case


def test_tmp_is_the_only_folder_to_run_programs_from() -> None:
    options = host()["Tmpfs"]["/tmp"].split(",")

    assert {"exec", "nosuid", "nodev", "mode=1777"} <= set(options)
    assert f"size={LIMITS.temporary}" in options
    assert f"nr_inodes={LIMITS.temporary_inodes}" in options


def test_volumes_of_the_image_are_covered_but_not_the_mounts_of_the_contract() -> None:
    job = replace(JOB, image_volumes=["/scratch/", "data", "/tmp", "/mnt/data", "/mnt/pred", "/dev/shm"])

    covered = host(job)["Tmpfs"]

    assert set(covered) == {"/scratch", "/data", "/tmp"}
    assert "size=1048576" in covered["/scratch"].split(",")
    assert "noexec" in covered["/scratch"].split(",")


def test_cases_are_read_only_and_the_output_is_the_volume() -> None:
    cases, output = host()["Mounts"]

    assert (cases["Type"], cases["Source"], cases["Target"]) == ("bind", "/srv/cases", "/mnt/data")
    assert cases["ReadOnly"] is True
    assert (output["Type"], output["Source"], output["Target"]) == ("volume", "the-volume", "/mnt/pred")


def test_the_log_is_capped_and_never_blocks() -> None:
    log = host()["LogConfig"]

    assert log["Config"]["max-size"] == str(LIMITS.log)
    assert log["Config"]["max-file"] == "1"
    assert log["Config"]["mode"] == "non-blocking"


def test_caches_lie_in_tmp_and_no_gpu_is_seen() -> None:
    environment = dict(pair.split("=", 1) for pair in request()["Env"])

    assert environment["HOME"] == environment["TMPDIR"] == environment["MPLCONFIGDIR"] == "/tmp"
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert host()["DeviceRequests"] == []


def test_a_gpu_is_asked_for_by_its_uuid_alone() -> None:
    job = replace(JOB, gpu=GPU)

    assert host(job)["DeviceRequests"] == [
        {"DeviceIDs": [GPU], "Capabilities": [["gpu", "compute", "utility"]]}
    ]
    assert f"NVIDIA_VISIBLE_DEVICES={GPU}" in request(job)["Env"]


def test_docker_gets_the_filter_of_system_calls_and_podman_its_path() -> None:
    docker_filter = next(option for option in host()["SecurityOpt"] if option.startswith("seccomp="))
    podman_filter = next(
        option for option in host(facts=PODMAN)["SecurityOpt"] if option.startswith("seccomp=")
    )

    assert json.loads(docker_filter.removeprefix("seccomp="))["defaultAction"] == "SCMP_ACT_ERRNO"
    assert podman_filter == f"seccomp={SECCOMP}"


def test_podman_is_asked_in_its_own_way() -> None:
    settings = host(facts=PODMAN)

    assert settings["Binds"] == ["the-volume:/mnt/pred:rw,nosuid,nodev,noexec"]
    assert {"/run", "/var/tmp"} <= set(settings["Tmpfs"])
    assert all("nr_inodes" not in options for options in settings["Tmpfs"].values())


@pytest.mark.parametrize("facts", [DOCKER, PODMAN])
def test_the_keeper_of_an_output_in_memory_is_in_the_same_sandbox_but_sees_no_case(facts: Facts) -> None:
    keeper = keeper_request(JOB, facts, {}, "the-volume")
    ours = request(facts=facts)

    different = {
        key for key in ours["HostConfig"] if ours["HostConfig"][key] != keeper["HostConfig"].get(key)
    }
    assert different == {"Mounts"}
    assert "/srv/cases" not in json.dumps(keeper)
    assert keeper["OpenStdin"] is True


def allowed_calls() -> dict[str, list[dict[str, Any]]]:
    rules: dict[str, list[dict[str, Any]]] = {}
    for rule in json.loads(SECCOMP.read_text())["syscalls"]:
        if rule["action"] == "SCMP_ACT_ALLOW":
            for name in rule["names"]:
                rules.setdefault(name, []).append(rule)
    return rules


def test_system_calls_that_reach_into_the_kernel_are_not_in_the_filter() -> None:
    allowed = set(allowed_calls())

    assert not {name for name in allowed if name.startswith(("io_uring", "mount", "keyctl", "bpf", "kexec"))}
    assert not allowed & {
        *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "userfaultfd"),
        *("unshare", "setns", "pivot_root", "chroot", "open_by_handle_at", "perf_event_open"),
        *("add_key", "request_key", "init_module", "finit_module", "iopl", "ioperm", "reboot", "swapon"),
        *("clone3", "quotactl", "syslog", "acct", "settimeofday", "clock_settime", "umount2", "mq_open"),
    }


def test_sockets_and_clones_are_allowed_under_conditions_only() -> None:
    rules = allowed_calls()

    assert [rule["args"][0]["value"] for rule in rules["socket"]] == [1, 2, 10, 16]
    assert all(rule.get("args") for name in ("socket", "clone", "personality") for rule in rules[name])


def test_every_system_call_is_allowed_once() -> None:
    conditional = {"socket", "personality"}
    assert [
        name for name, rules in allowed_calls().items() if len(rules) > 1 and name not in conditional
    ] == []
