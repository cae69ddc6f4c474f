"""What to do about each failure: the change that mends it, and the command that shows it at home.

The message of a failure says what was wrong with this image; a remedy is the same for every image, so it may
be shown for hidden cases too.
"""

from dataclasses import dataclass

from submissions.contract import Code

CHECK = "moodarena check IMAGE"
SAVE = "docker save IMAGE | gzip > image.tar.gz"
PLATFORM = "docker build --platform linux/amd64 -t IMAGE ."
EVERY_LOG = "moodarena check IMAGE --logs"


@dataclass(frozen=True)
class Remedy:
    """`change` is one or two sentences; `command`, which may be empty, is typed at home."""

    change: str
    command: str = CHECK


_REMEDIES = {
    Code.ARCHIVE_UNREADABLE: Remedy("Save the image once more, and wait until the command has ended.", SAVE),
    Code.ARCHIVE_TOO_LARGE: Remedy(
        "Compress the archive, start from a smaller base image, and copy only what the scripts load.", SAVE
    ),
    Code.ARCHIVE_UNPACKS_TOO_LARGE: Remedy(
        "Start from a smaller base image, and delete caches in the same `RUN` that makes them; "
        "this lists the size of each layer.",
        "docker history IMAGE",
    ),
    Code.ARCHIVE_TOO_MANY_ENTRIES: Remedy(
        "Delete package caches, tests and documentation in the same `RUN` that installs them; "
        "this lists the layers.",
        "docker history IMAGE",
    ),
    Code.ARCHIVE_JSON_TOO_LARGE: Remedy("Shorten labels and environment, and put lists into files.", CHECK),
    Code.ARCHIVE_JSON_INVALID: Remedy("Save the image with Docker or Podman, without editing it.", SAVE),
    Code.ARCHIVE_NO_IMAGE: Remedy("Use `docker save` with the name of an image, not `docker export`.", SAVE),
    Code.ARCHIVE_SEVERAL_IMAGES: Remedy("Name one image with its tag when you save it.", SAVE),
    Code.ARCHIVE_LAYER_MISSING: Remedy("Save the image once more, and upload the file as it is.", SAVE),
    Code.ARCHIVE_DIGEST_WRONG: Remedy("Save the image once more; the disk or a copy damaged the file.", SAVE),
    Code.ARCHIVE_LAYER_UNREADABLE: Remedy(
        "Build without zstd or encrypted layers, then save the image once more.", SAVE
    ),
    Code.ARCHIVE_FOREIGN_LAYER: Remedy(
        "Build on a Linux base image whose layers are saved with it, then check it.", CHECK
    ),
    Code.ARCHIVE_PLATFORM_WRONG: Remedy("Build the image for the platform's processors.", PLATFORM),
    Code.ARCHIVE_PATH_UNSAFE: Remedy("Save the image with Docker or Podman, without editing it.", SAVE),
    Code.ARCHIVE_ENTRY_UNEXPECTED: Remedy("Save the image with Docker or Podman, without editing it.", SAVE),
    Code.ARCHIVE_NAME_TWICE: Remedy("Save the image into a new file instead of adding to an old one.", SAVE),
    Code.ARCHIVE_DEVICE_NODE: Remedy("Remove the `mknod` or the copied device from the Dockerfile.", CHECK),
    Code.ARCHIVE_LD_PRELOAD: Remedy(
        "Take the variable out of `ENV`, and set it in the entry script before your program.", CHECK
    ),
    Code.ARCHIVE_VOLUME_UNUSABLE: Remedy(
        "Remove `VOLUME` from the Dockerfile; a base image that declares one needs another base.", CHECK
    ),
    Code.IMAGE_NOT_LOADABLE: Remedy(
        "Load the archive yourself; if that fails too, build anew without the cache.",
        "docker load < image.tar.gz",
    ),
    Code.SCRIPT_MISSING: Remedy(
        "Copy a script for every task and dataset that you take part in to the path of the contract.", CHECK
    ),
    Code.CRASHED: Remedy("Look at the end of the log, which the check repeats on the toy cases.", EVERY_LOG),
    Code.TIMED_OUT: Remedy(
        "Load the model once for all cases, use fewer resolutions or smaller patches; the check tells the "
        "time per case."
    ),
    Code.OUT_OF_MEMORY: Remedy(
        "Free what a case needed before the next one, handle volumes in patches; the check tells the peak."
    ),
    Code.OUTPUT_FULL: Remedy(
        "Write `.nii.gz` as float32 or float16, one file a case, and put everything else into `/tmp`."
    ),
    Code.MISSING_PREDICTIONS: Remedy(
        "Go over all files of the input folder, and let no error of one case end the loop in silence."
    ),
    Code.WRONG_SHAPE: Remedy(
        "Resample your map back to the grid of the input, and do not crop, pad or swap axes at the end."
    ),
    Code.NOT_FINITE: Remedy(
        "Look for a division by zero, the logarithm of zero or a normalisation of an empty volume."
    ),
    Code.UNREADABLE: Remedy(
        "Save maps as NIfTI with nibabel or SimpleITK, scores as one number with a point, and close files."
    ),
    Code.CANCELLED: Remedy("Nothing is wrong with the image; submit it again when you like.", ""),
    Code.PLATFORM: Remedy("You need not do anything; the organizers run it again.", ""),
}


def remedy(code: str) -> Remedy:
    """What helps against a failure; that of our own faults for a code that is not known."""
    return _REMEDIES[Code(code) if code in set(Code) else Code.PLATFORM]
