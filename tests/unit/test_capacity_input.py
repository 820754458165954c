"""What is no number, and no configuration, is said in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.capacity.__main__ import main


@pytest.mark.parametrize("option", ["--pages-per-s", "--lines-per-page", "--node-price", "--documents-per-s"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "many"])
def test_numbers_that_are_none_are_said(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    load = [] if option.endswith("-per-s") else ["--pages-per-s=1"]
    with pytest.raises(SystemExit) as ended:
        main([*load, f"{option}={value}"])
    assert ended.value.code == 2
    assert f"argument {option}: '{value}' is not a finite number" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "applications: [",
        "[]",
        "",
        "applications: []",
        "applications: [{deployments: [{name: Detection}]}]",
        "applications: [{deployments: [{name: Detection, ray_actor_options: {num_cpus: many}}]}]",
        "applications: [{deployments: [{name: Detection, ray_actor_options: {num_cpus: .nan}}]}]",
        "applications: [{deployments: [{name: Detection, ray_actor_options: {num_cpus: 0}}]}]",
        "applications: [{deployments: [{name: Detection, ray_actor_options: {num_cpus: 1, num_gpus: -1}}]}]",
    ],
)
def test_a_configuration_that_is_none_is_said_in_a_line(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content, encoding="utf-8")
    assert main(["--pages-per-s", "1", "--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("no plan: ") and str(path) in said and said.count("\n") == 1
