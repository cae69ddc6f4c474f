import pytest

from challenges.spec import Entry
from submissions.contract import (
    Code,
    Outcome,
    explain_exit,
    failure,
    failure_of_case,
    general_message,
    prediction_name,
    scripts_missing,
    scripts_of,
    size_text,
)

ENTRY = Entry(script="/workspace/run_{task}_{dataset}.sh", input="/mnt/data", output="/mnt/pred")


def test_a_failure_of_one_case_names_the_file_and_what_is_wrong_with_it() -> None:
    found = failure_of_case(Outcome.WRONG_SHAPE, "toy_2.nii.gz", "127 slices written, 128 expected")
    assert found.code is Code.WRONG_SHAPE
    assert found.message == "toy_2.nii.gz: 127 slices written, 128 expected."


def test_further_cases_with_the_same_failure_are_counted() -> None:
    found = failure_of_case(Outcome.MISSING, "toy_2.nii.gz.txt", others=3)
    assert found.message.startswith("toy_2.nii.gz.txt: not written (and 3 more like it).")


@pytest.mark.parametrize("outcome", [Outcome.SCORED, Outcome.CRASHED, Outcome.TIMED_OUT])
def test_only_a_prediction_can_be_at_fault_for_its_case(outcome: Outcome) -> None:
    with pytest.raises(ValueError, match="not the fault of one prediction"):
        failure_of_case(outcome, "toy_2.nii.gz")


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_sentence_for_hidden_runs_without_gaps(code: Code) -> None:
    general = general_message(code)
    assert general.endswith(".")
    assert "{" not in general
    assert failure(code).message == general


@pytest.mark.parametrize("code", list(Code))
def test_every_specific_sentence_can_be_filled(code: Code) -> None:
    facts = ("limit", "entry", "problem", "count", "found", "expected", "kind", "variable", "volume")
    facts += ("scripts", "exit_code", "hint", "seconds", "cases", "file", "more")
    message = failure(code, **dict.fromkeys(facts, "@")).message
    assert "{" not in message
    assert message.endswith(".")


def test_only_the_platform_itself_is_our_fault() -> None:
    assert [code for code in Code if failure(code).ours] == [Code.PLATFORM]


def test_the_detail_for_the_operator_is_not_in_the_message() -> None:
    found = failure(Code.CRASHED, detail="Traceback of /secret", exit_code=1, hint=explain_exit(1))
    assert found.detail == "Traceback of /secret"
    assert "secret" not in found.message


def test_an_exit_code_is_explained() -> None:
    assert "not found" in explain_exit(127)
    assert explain_exit(77) == "the program reported an error"


def test_predictions_are_named_after_their_case() -> None:
    assert prediction_name(ENTRY.case_prediction, "ab12.nii.gz") == "ab12.nii.gz.txt"
    assert prediction_name(ENTRY.voxel_prediction, "ab12.nii.gz") == "ab12.nii.gz"


@pytest.mark.parametrize("case", ["../ab12", "a/b", "", "..", "a\0b"])
def test_the_name_of_a_prediction_cannot_leave_the_output_folder(case: str) -> None:
    with pytest.raises(ValueError, match="not the name of a file"):
        prediction_name("{case}", case)


def test_scripts_are_listed_for_every_task_and_dataset() -> None:
    scripts = scripts_of(ENTRY, ["sample", "pixel"], iter(["brain", "abdom"]))
    assert len(scripts) == 4
    assert scripts["pixel", "abdom"] == "/workspace/run_pixel_abdom.sh"


def test_a_missing_script_is_named() -> None:
    found = scripts_missing(ENTRY, "pixel", ["brain", "abdom"], {"/workspace/run_pixel_brain.sh"})
    assert found is not None
    assert found.code is Code.SCRIPT_MISSING
    assert found.message.startswith("The image has no /workspace/run_pixel_abdom.sh.")


def test_nothing_is_missing_when_all_scripts_are_there() -> None:
    assert scripts_missing(ENTRY, "pixel", ["brain"], {"/workspace/run_pixel_brain.sh"}) is None


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1536, "1.5 KiB"), (3 << 30, "3 GiB"), (5000 << 30, "5000 GiB")]
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert size_text(size) == text
