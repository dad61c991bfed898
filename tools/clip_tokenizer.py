"""The byte-pair encoding of CLIP as a `tokenizer.json` for the library `tokenizers`.

Texts must have been cleaned before as CLIP's authors do: `ftfy.fix_text`, twice `html.unescape`, `strip`, `lower`. Then
the ids are those of open_clip's `SimpleTokenizer`, but for texts that spell out `<start_of_text>` or `<end_of_text>`:
here these are words like all others. Without `lower`, only a capital sigma that ends a word comes out differently.
"""

from collections.abc import Mapping, Sequence

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import Lowercase, Replace
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as PreTokenizers
from tokenizers.processors import TemplateProcessing

START, END = "<start_of_text>", "<end_of_text>"

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def build_tokenizer(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> Tokenizer:
    """A tokenizer without truncation and padding, that puts START before a text and END after it.

    `merges` are the pairs that become one, first those that go first; `vocabulary` has START and END too.
    """
    tokenizer = Tokenizer(BPE(dict(vocabulary), list(merges), end_of_word_suffix="</w>"))
    tokenizer.normalizer = Normalizers([Replace(Regex(r"\s+"), " "), Lowercase()])
    tokenizer.pre_tokenizer = PreTokenizers(
        [Split(Regex(_WORDS), "removed", invert=True), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])]
    )
    return tokenizer
