import pytest

from submissions import display
from submissions.responses import Estimate, Failure, Submission


def submission(**values: object) -> Submission:
    return Submission.model_validate({"id": "s1", "challenge": "demo", "kind": "toy", "title": "t", **values})


def test_a_submission_that_waits_says_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    left = Estimate(low=10, likely=12, high=13, text="about 12 min")
    display.submission(submission(state="verify", queue_position=3, estimate=left), as_json=False)
    assert "verify, place 3 in the queue, done in about 12 min" in capsys.readouterr().out


def test_a_failure_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure(
        code="crashed", message="It ended.", remedy="Look at the log.", command="moodarena check"
    )
    display.submission(submission(state="failed", failure=failure), as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "Failed: It ended. (crashed) What to do: Look at the log. Type: moodarena check" in told
    older = Failure(code="crashed", message="It ended.")
    display.submission(submission(state="failed", failure=older), as_json=False)
    assert "What to do" not in capsys.readouterr().out
