"""What platform and participant agree on: outcomes of cases, names of predictions, failures with a remedy.

A failure speaks to two readers. `Failure.message` tells the participant what to change; `Failure.detail`
tells the operator what happened. Runs on hidden cases show their owner `general_message(code)` only, which
never carries a file name or a figure of a case.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter

from challenges.spec import Entry


class Outcome(StrEnum):
    """What became of one case of a run."""

    SCORED = "scored"
    MISSING = "missing"
    WRONG_SHAPE = "wrong_shape"
    NOT_FINITE = "not_finite"
    UNREADABLE = "unreadable"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"


class Code(StrEnum):
    """Every reason for which a submission can fail."""

    ARCHIVE_UNREADABLE = "archive_unreadable"
    ARCHIVE_TOO_LARGE = "archive_too_large"
    ARCHIVE_UNPACKS_TOO_LARGE = "archive_unpacks_too_large"
    ARCHIVE_TOO_MANY_ENTRIES = "archive_too_many_entries"
    ARCHIVE_JSON_TOO_LARGE = "archive_json_too_large"
    ARCHIVE_JSON_INVALID = "archive_json_invalid"
    ARCHIVE_NO_IMAGE = "archive_no_image"
    ARCHIVE_SEVERAL_IMAGES = "archive_several_images"
    ARCHIVE_LAYER_MISSING = "archive_layer_missing"
    ARCHIVE_DIGEST_WRONG = "archive_digest_wrong"
    ARCHIVE_LAYER_UNREADABLE = "archive_layer_unreadable"
    ARCHIVE_FOREIGN_LAYER = "archive_foreign_layer"
    ARCHIVE_PLATFORM_WRONG = "archive_platform_wrong"
    ARCHIVE_PATH_UNSAFE = "archive_path_unsafe"
    ARCHIVE_ENTRY_UNEXPECTED = "archive_entry_unexpected"
    ARCHIVE_NAME_TWICE = "archive_name_twice"
    ARCHIVE_DEVICE_NODE = "archive_device_node"
    ARCHIVE_LD_PRELOAD = "archive_ld_preload"
    ARCHIVE_VOLUME_UNUSABLE = "archive_volume_unusable"
    IMAGE_NOT_LOADABLE = "image_not_loadable"
    SCRIPT_MISSING = "script_missing"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_FULL = "output_full"
    MISSING_PREDICTIONS = "missing_predictions"
    WRONG_SHAPE = "wrong_shape"
    NOT_FINITE = "not_finite"
    UNREADABLE = "unreadable"
    CANCELLED = "cancelled"
    PLATFORM = "platform"


@dataclass(frozen=True)
class Failure:
    """Why something failed.

    Attributes:
        code: stable name, for clients and statistics.
        message: one or two sentences for the participant; they say what to change.
        detail: the whole story, for the operator only.
        ours: whether the platform is at fault; such a run costs no quota.
    """

    code: Code
    message: str
    detail: str = ""
    ours: bool = False


@dataclass(frozen=True)
class _Cause:
    general: str
    specific: str = ""
    ours: bool = False


_SAVE_AGAIN = "Save the image again with `docker save IMAGE | gzip > image.tar.gz` and upload that file."

_CATALOGUE: dict[Code, _Cause] = {
    Code.ARCHIVE_UNREADABLE: _Cause(f"The file is not a complete archive of `docker save`. {_SAVE_AGAIN}"),
    Code.ARCHIVE_TOO_LARGE: _Cause(
        "The archive is larger than allowed. Remove what the image does not need and start from a "
        "smaller base.",
        "The archive is larger than the {limit} allowed. "
        "Remove what the image does not need and start from a smaller base.",
    ),
    Code.ARCHIVE_UNPACKS_TOO_LARGE: _Cause(
        "The unpacked image is larger than allowed. Remove what it does not need and start from a "
        "smaller base.",
        "The unpacked image is larger than the {limit} allowed. "
        "Remove what it does not need and start from a smaller base.",
    ),
    Code.ARCHIVE_TOO_MANY_ENTRIES: _Cause(
        "The image holds too many files. Delete caches and unused packages in the step that makes them.",
        "The image holds more than {limit} files. Delete caches and unused packages in the step that "
        "makes them.",
    ),
    Code.ARCHIVE_JSON_TOO_LARGE: _Cause(
        "A JSON file of the archive is too large. Shorten labels, environment and history of the image.",
        "{entry} is larger than the {limit} allowed. Shorten labels, environment and history of the image.",
    ),
    Code.ARCHIVE_JSON_INVALID: _Cause(
        f"A JSON file of the archive cannot be understood. {_SAVE_AGAIN}",
        f"{{entry}} cannot be understood: {{problem}}. {_SAVE_AGAIN}",
    ),
    Code.ARCHIVE_NO_IMAGE: _Cause(
        "The archive holds no image; `docker export` writes no image either. " + _SAVE_AGAIN
    ),
    Code.ARCHIVE_SEVERAL_IMAGES: _Cause(
        "The archive holds more than one image. Save one only: `docker save IMAGE:TAG`, without further "
        "names.",
        "The archive holds {count} images. Save one only: `docker save IMAGE:TAG`, without further names.",
    ),
    Code.ARCHIVE_LAYER_MISSING: _Cause(
        f"A layer of the image is not in the archive. {_SAVE_AGAIN}",
        f"Layer {{entry}} of the image is not in the archive. {_SAVE_AGAIN}",
    ),
    Code.ARCHIVE_DIGEST_WRONG: _Cause(
        f"The archive is damaged: a part does not have the digest it should have. {_SAVE_AGAIN}",
        f"The archive is damaged: {{entry}} does not have the digest it should have. {_SAVE_AGAIN}",
    ),
    Code.ARCHIVE_LAYER_UNREADABLE: _Cause(
        f"A layer of the image cannot be unpacked; plain and gzip layers can. {_SAVE_AGAIN}",
        f"Layer {{entry}} cannot be unpacked: {{problem}}. Plain and gzip layers can. {_SAVE_AGAIN}",
    ),
    Code.ARCHIVE_FOREIGN_LAYER: _Cause(
        "A layer of the image lies at a remote address. Build on a base image whose layers are all saved "
        "with it."
    ),
    Code.ARCHIVE_PLATFORM_WRONG: _Cause(
        "The image is for another platform. Build it with `docker build --platform linux/amd64`.",
        "The image is for {found}. Build it with `docker build --platform {expected}`.",
    ),
    Code.ARCHIVE_PATH_UNSAFE: _Cause(
        f"The archive holds a path that leads outside of it. {_SAVE_AGAIN}",
        f"The path {{entry}} leads outside the archive. {_SAVE_AGAIN}",
    ),
    Code.ARCHIVE_ENTRY_UNEXPECTED: _Cause(
        f"The archive holds something that `docker save` does not write, like a link. {_SAVE_AGAIN}",
        f"{{entry}} is {{kind}}, which `docker save` does not write. {_SAVE_AGAIN}",
    ),
    Code.ARCHIVE_NAME_TWICE: _Cause(
        f"The archive holds one name twice. {_SAVE_AGAIN}",
        f"The archive holds {{entry}} twice. {_SAVE_AGAIN}",
    ),
    Code.ARCHIVE_DEVICE_NODE: _Cause(
        "The image holds a device node outside /dev. Remove it in the Dockerfile.",
        "The image holds the device node /{entry} outside /dev. Remove it in the Dockerfile.",
    ),
    Code.ARCHIVE_LD_PRELOAD: _Cause(
        "The image sets LD_PRELOAD with ENV. Set it in your entry script, for your own program only.",
        "The image sets {variable} with ENV. Set it in your entry script, for your own program only.",
    ),
    Code.ARCHIVE_VOLUME_UNUSABLE: _Cause(
        "The image declares a VOLUME that cannot be used here. Remove it from the Dockerfile.",
        "The image declares the VOLUME {volume}, {problem}. Remove it from the Dockerfile.",
    ),
    Code.IMAGE_NOT_LOADABLE: _Cause(
        "The container engine refuses the image. Try `docker load` on the archive in a clean installation, "
        "then build and save the image again."
    ),
    Code.SCRIPT_MISSING: _Cause(
        "The image lacks an entry script of this task. Copy all of them to the paths of the contract.",
        "The image has no {scripts}. Copy it into the image with `COPY` and build again.",
    ),
    Code.CRASHED: _Cause(
        "The container ended with an error. Try the image with `moodarena check IMAGE`, which shows its log.",
        "The container ended with exit code {exit_code}: {hint}. "
        "Its log shows more; `moodarena check IMAGE` repeats the run.",
    ),
    Code.TIMED_OUT: _Cause(
        "The container took too long. Make it faster; the limit is a time per case, for all cases of a "
        "container.",
        "The container was stopped after {seconds} s, which is the limit for {cases} cases. Make it faster.",
    ),
    Code.OUT_OF_MEMORY: _Cause(
        "The container ran out of memory. Handle one case after the other, and volumes in parts.",
        "The container ran out of its {limit} of memory. Handle one case after the other, and volumes in "
        "parts.",
    ),
    Code.OUTPUT_FULL: _Cause(
        "The output folder was full. Write predictions only, as float32 or less, compressed (.nii.gz); "
        "temporary files belong into /tmp.",
        "The output folder was full at {limit}. Write predictions only, as float32 or less, compressed "
        "(.nii.gz); "
        "temporary files belong into /tmp.",
    ),
    Code.MISSING_PREDICTIONS: _Cause(
        "Predictions are missing. Write one for every file of the input folder, under its own name.",
        "{file}: not written{more}. Write one prediction for every file of the input folder.",
    ),
    Code.WRONG_SHAPE: _Cause(
        "A prediction has not the shape of its input. Write one score for every voxel of the input.",
        "{file}: {problem}{more}.",
    ),
    Code.NOT_FINITE: _Cause(
        "A prediction holds NaN or an infinite value. Write finite numbers from 0 to 1.",
        "{file}: {problem}{more}. Write finite numbers from 0 to 1.",
    ),
    Code.UNREADABLE: _Cause(
        "A prediction cannot be read. Write the file format of the contract, and close files before the end.",
        "{file}: {problem}{more}.",
    ),
    Code.CANCELLED: _Cause("The run was cancelled. It costs nothing; submit again when you like."),
    Code.PLATFORM: _Cause(
        "The platform failed, not your image. It costs nothing; the organizers know, you need not do "
        "anything.",
        ours=True,
    ),
}

_CODE_OF = {
    Outcome.MISSING: Code.MISSING_PREDICTIONS,
    Outcome.WRONG_SHAPE: Code.WRONG_SHAPE,
    Outcome.NOT_FINITE: Code.NOT_FINITE,
    Outcome.UNREADABLE: Code.UNREADABLE,
}

_EXIT_CODES = {
    0: "it said that all went well",
    2: "the shell or the program did not understand its arguments",
    126: "a command could not be run; does it have the right interpreter and execute permission?",
    127: "a command was not found; is it installed in the image, and does the script have Unix line ends?",
    134: "the program aborted itself",
    135: "a bus error; shared memory may be too small for the program's data loaders",
    137: "it was killed",
    139: "a segmentation fault",
    143: "it was terminated",
}


def failure(code: Code, detail: str = "", **facts: object) -> Failure:
    """A failure of the catalogue, its message filled with `facts`, or the general one if a fact is "
    "lacking."""
    cause = _CATALOGUE[code]
    wanted = {name for _, name, _, _ in Formatter().parse(cause.specific) if name}
    message = cause.specific.format(**facts) if cause.specific and wanted <= set(facts) else cause.general
    return Failure(code=code, message=message, detail=detail, ours=cause.ours)


def general_message(code: Code) -> str:
    """The sentence for `code` that holds no name and no figure, for runs on hidden cases."""
    return _CATALOGUE[code].general


def failure_of_case(outcome: Outcome, file: str, problem: str = "", others: int = 0) -> Failure:
    """The failure for a prediction that could not be scored; `others` counts further cases like it.

    Raises:
        ValueError: the outcome is no fault of one prediction (scored, crashed, timed out).
    """
    if outcome not in _CODE_OF:
        raise ValueError(f"{outcome} is not the fault of one prediction")
    more = f" (and {others} more like it)" if others else ""
    return failure(_CODE_OF[outcome], file=file, problem=problem, more=more)


def size_text(size: int) -> str:
    """A size in bytes for people: `size_text(3 << 30)` is "3 GiB"."""
    value, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if value >= 1024:
            value, unit = value / 1024, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def explain_exit(exit_code: int) -> str:
    """What an exit code usually means, as part of a sentence."""
    return _EXIT_CODES.get(exit_code, "the program reported an error")


def prediction_name(template: str, case_name: str) -> str:
    """The flat file name of a prediction: `prediction_name("{case}.txt", "toy_0.nii.gz")`.

    Raises:
        ValueError: the name would not stay inside the output folder.
    """
    name = template.format(case=case_name)
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is not the name of a file in the output folder")
    return name


def scripts_of(entry: Entry, tasks: Iterable[str], datasets: Iterable[str]) -> dict[tuple[str, str], str]:
    """Path in the image of the entry script of every (task, dataset)."""
    names = list(datasets)
    return {(task, dataset): entry.script_for(task, dataset) for task in tasks for dataset in names}


def scripts_missing(
    entry: Entry, task: str, datasets: Iterable[str], found: Collection[str]
) -> Failure | None:
    """The failure of an image that lacks scripts of `task` for any of `datasets`, or None."""
    lacking = [path for path in scripts_of(entry, [task], datasets).values() if path not in found]
    return failure(Code.SCRIPT_MISSING, scripts=" and no ".join(lacking)) if lacking else None
