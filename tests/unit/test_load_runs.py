"""The configurations of the load and failure runs, and what is told of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.load import failures, scaling
from benchmarks.load.plot import plot
from benchmarks.load.runner import Outcome
from benchmarks.load.scaling import LONG, SHORT, STAGES, Result, Sample
from benchmarks.load.traffic import Arrival
from cluster.fake_graph import RECOGNITION, Config, deployment
from serve_app.check_config import check


# Ray 2.60 calls metrics_interval_s deprecated, but what is to replace it does nothing yet.
@pytest.mark.filterwarnings("ignore:The `metrics_interval_s` field:DeprecationWarning")
@pytest.mark.parametrize(
    "config",
    [scaling.config(SHORT), scaling.config(LONG), failures.config()],
    ids=["short", "long", "failures"],
)
def test_configurations_of_the_runs_are_right(config: dict[str, object]) -> None:
    assert check(config) == []


def test_a_change_of_tuning_is_no_change_of_arguments() -> None:
    usual, tuned, changed = failures.config(), failures.config(max_lines=7), failures.config(item_ms=7)
    arguments = [config["applications"][0]["args"] for config in (usual, tuned, changed)]
    assert arguments[0] == arguments[1] != arguments[2]
    assert deployment(tuned, "Detection")["user_config"] != deployment(usual, "Detection")["user_config"]


def test_a_round_changes_the_tuning_without_the_arguments_that_the_one_before_left() -> None:
    class Deployed:
        """Keeps what it is told to deploy; whole at once."""

        def __init__(self) -> None:
            self.configs = [failures.config()]

        def deploy(self, config: Config) -> None:
            self.configs.append(config)

        def counts(self) -> dict[str, int]:
            return failures.REPLICAS

    nodes = Deployed()
    for number in range(3):
        failures.change_tuning(nodes, number)  # type: ignore[arg-type]
        failures.change_arguments(nodes, number)  # type: ignore[arg-type]
    arguments = [config["applications"][0]["args"] for config in nodes.configs]
    before, tuned, changed = arguments[0:-1:2], arguments[1::2], arguments[2::2]
    assert before == tuned
    assert all(old != new for old, new in zip(tuned, changed, strict=True))


@pytest.fixture
def result() -> Result:
    """Recognition scales to three during the letters, and is back at one a second before their end."""
    idle = dict.fromkeys(STAGES, 1)
    busy = {**idle, RECOGNITION: 3}
    samples = [
        Sample(0, idle),
        Sample(5, busy),
        Sample(13, idle),
        Sample(20, idle),
        Sample(30, idle),
        Sample(40, idle),
    ]
    outcomes = [
        Outcome(Arrival(number=0, at_s=1.0, phase="letters", kind="letter"), 0.5, right=True),
        Outcome(Arrival(number=1, at_s=23.0, phase="scans", kind="scan"), None, refusals=["503"]),
    ]
    return Result(SHORT, 1, outcomes, samples)


def test_replicas_are_told_by_phase(result: Result) -> None:
    assert (result.peak(RECOGNITION, "letters"), result.last(RECOGNITION, "letters")) == (3, 1)
    assert result.peak("Detection", "letters") == result.peak(RECOGNITION, "quiet") == 1
    with pytest.raises(KeyError):
        result.span_s("never")


def test_the_record_says_what_became_of_documents_and_is_drawn(result: Result, tmp_path: Path) -> None:
    record = json.loads(json.dumps(result.as_json()))
    assert record["phases"]["letters"]["right"] == 1 and record["phases"]["scans"]["lost"] == 1
    assert record["phases"]["letters"]["most_replicas"][RECOGNITION] == 3
    assert record["total"]["documents"] == 2
    plot(record, tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
