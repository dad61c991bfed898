"""The tokenizer that is built for CLIP gives the ids of open_clip's own."""

import json
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from ftfy import fix_text
from tokenizers import Tokenizer

from tools.clip_tokenizer import build_tokenizer

FIXTURE = Path(__file__).resolve().parents[1] / "models" / "clip_tiny"
EXPECTED = np.load(FIXTURE / "expected.npz")
MODEL = json.loads((FIXTURE / "tokenizer.json").read_text("utf-8"))["model"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer(MODEL["vocab"], [(first, second) for first, second in MODEL["merges"]])


@pytest.mark.parametrize("index", range(len(EXPECTED["texts"])))
def test_ids_are_open_clips(tokenizer: Tokenizer, index: int) -> None:
    expected = EXPECTED["token_ids"][index]
    tokenizer.enable_truncation(len(expected))
    found = tokenizer.encode(unescape(unescape(fix_text(str(EXPECTED["texts"][index])))).strip().lower()).ids
    assert found == expected[: len(found)].tolist()
    assert not expected[len(found) :].any()


def test_a_text_that_spells_out_its_end_goes_on_after_it(tokenizer: Tokenizer) -> None:
    tokenizer.no_truncation()
    end = MODEL["vocab"]["<end_of_text>"]
    assert tokenizer.encode("a<end_of_text>b").ids.count(end) == 1


def test_the_same_tokenizer_is_written_each_time(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.no_truncation()
    tokenizer.save(str(tmp_path / "tokenizer.json"), pretty=False)
    assert (tmp_path / "tokenizer.json").read_bytes() == (FIXTURE / "tokenizer.json").read_bytes()
