"""`python -m tools.export_text_encoder FOLDER`: all-MiniLM-L6-v2, as `text_encoder.onnx` and `tokenizer.json`.

input_ids and attention_mask, int64 [n, t], to embedding [n, 384]: the tokens' mean, of length 1. Weights are 8-bit
integers.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from tools.graphs import save
from tools.quantization import quantize
from tools.sentences import TOKENIZER_PATH, SentenceEncoder, load_tokenizer
from tools.torch_graphs import trace

_EXAMPLES = ("a dog", "two people riding bicycles along the river at sunset")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export_text_encoder", description=__doc__)
    parser.add_argument("folder", type=Path, help="where text_encoder.onnx and tokenizer.json are written")
    folder: Path = parser.parse_args(arguments).folder
    tokenizer = load_tokenizer()
    tokenizer.enable_padding()
    tokens = tokenizer.encode_batch(list(_EXAMPLES))
    examples = [torch.tensor([each.ids for each in tokens]), torch.tensor([each.attention_mask for each in tokens])]
    graph = trace(SentenceEncoder(), examples, ["input_ids", "attention_mask"], ["embedding"], ("n", "t"))
    save(quantize(graph), folder / "text_encoder.onnx")
    shutil.copyfile(TOKENIZER_PATH, folder / "tokenizer.json")


if __name__ == "__main__":
    main()
