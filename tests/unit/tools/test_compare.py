"""What `tools.compare` says of two models that agree, and of two that do not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from tools.compare import compare, main, random_inputs

CLIP = Path(__file__).resolve().parents[1] / "models" / "clip_tiny"


@dataclass(frozen=True)
class Entry:
    name: str
    type: str
    shape: Sequence[Any]


class FixedModel:
    """Answers the same, whatever it is fed."""

    def __init__(self, inputs: Sequence[Entry] = (), **answers: ArrayLike) -> None:
        self._inputs = inputs
        self._answers = {name: np.asarray(answer, np.float32) for name, answer in answers.items()}

    def get_inputs(self) -> Sequence[Entry]:
        return self._inputs

    def get_outputs(self) -> Sequence[Entry]:
        return [Entry(name, "tensor(float)", answer.shape) for name, answer in self._answers.items()]

    def run(self, output_names: list[str], input_feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        return [self._answers[name] for name in output_names]


def test_each_output_is_judged_by_its_worst_row_and_number() -> None:
    first = FixedModel(boxes=[[1, 0], [0, 2]], scores=[[1, 1]])
    second = FixedModel(scores=[[1, 1]], boxes=[[1, 0], [0, -1]])
    boxes, scores = compare(first, second, [{}, {}])
    assert (boxes.output, boxes.largest_difference, boxes.smallest_cosine, boxes.rows) == ("boxes", 3, -1, 4)
    assert (scores.output, scores.largest_difference, scores.rows) == ("scores", 0, 2)
    assert scores.smallest_cosine == 1


def test_a_row_of_zeros_agrees_only_with_another() -> None:
    zeros = FixedModel(vector=[[0, 0]])
    assert compare(zeros, zeros, [{}])[0].smallest_cosine == 1
    assert compare(zeros, FixedModel(vector=[[0, 1]]), [{}])[0].smallest_cosine == 0


def test_outputs_that_only_one_model_has_are_left_out() -> None:
    found = compare(FixedModel(a=[[1]], b=[[1]]), FixedModel(b=[[1]], c=[[1]]), [{}])
    assert [agreement.output for agreement in found] == ["b"]


def test_random_inputs_keep_to_their_bounds_and_to_their_seed() -> None:
    model = FixedModel(
        [
            Entry("image", "tensor(float)", ["n", 3, 8, 8]),
            Entry("input_ids", "tensor(int64)", ["n", "t"]),
            Entry("attention_mask", "tensor(int64)", ["n", "t"]),
        ]
    )
    once, again = (list(random_inputs(model, (0, 255), 9, 3, 5)) for _ in range(2))
    assert len(once) == 3
    for fed, same in zip(once, again, strict=True):
        assert fed["image"].shape == (2, 3, 8, 8)
        assert 0 <= fed["image"].min() < 10
        assert 245 < fed["image"].max() <= 255
        assert set(fed["input_ids"].ravel()) <= set(range(1, 10))
        assert fed["attention_mask"].all()
        assert all(np.array_equal(fed[name], same[name]) for name in fed)
    assert not np.array_equal(once[0]["image"], once[1]["image"])


@pytest.mark.parametrize(
    ("file", "choice"),
    [("image_encoder.onnx", []), ("text_encoder.onnx", ["--tokens", "1000"])],
)
def test_a_file_agrees_with_itself(file: str, choice: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(CLIP / file), str(CLIP / file), "--rounds", "1", *choice]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["output"] == "embedding"
    assert printed["largest_difference"] == 0


def test_the_exit_code_says_that_they_disagree() -> None:
    same = str(CLIP / "image_encoder.onnx")
    assert main([same, same, "--rounds", "1", "--at-least", "1.5"]) == 1
