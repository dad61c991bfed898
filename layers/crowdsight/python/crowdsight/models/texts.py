"""Texts that callers ask by, made fit for a tokenizer."""

from crowdsight.errors import InvalidRequest

MAX_CHARACTERS = 1000
"""More than any encoder reads; tokenizing a megabyte to keep 128 tokens of it would be a gift to the impolite."""


def readable(text: str) -> str:
    """The text without white space around it, without lone surrogates, and not longer than MAX_CHARACTERS.

    Raises InvalidRequest if nothing is left.
    """
    start = text.strip()[:MAX_CHARACTERS]
    # JSON may carry half a surrogate pair, which no UTF-8 can.
    readable_text = start.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
    if not readable_text:
        raise InvalidRequest("text must not be empty")
    return readable_text
