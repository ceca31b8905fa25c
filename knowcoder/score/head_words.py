"""Head words of mentions, by spaCy (extra ``spacy``)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from knowcoder.corpus.sentence import Mention
from knowcoder.errors import ModelError
from knowcoder.score.relax import HeadWord


def load_head_words(model: str) -> HeadWord:
    """The head words that a spaCy pipeline with a dependency parser finds.

    A mention that the text does not contain is its own head.

    Raises:
        ModelError: spaCy or the pipeline is not installed, or it has no parser.
    """
    try:
        import spacy
    except ImportError as error:
        raise ModelError(f'head_words={model}: needs spaCy; install it with pip install "knowcoder[spacy]"') from error
    try:
        pipeline = spacy.load(model)
    except OSError as error:
        raise ModelError(f"head_words={model}: no such pipeline; python -m spacy download {model}") from error
    if "parser" not in pipeline.pipe_names:
        raise ModelError(f"head_words={model}: has no dependency parser; give one that has, such as en_core_web_sm")

    @lru_cache(maxsize=1024)
    def read(text: str) -> Any:
        return pipeline(text)

    def head_word(text: str, mention: Mention) -> str:
        if mention.start is None or mention.end is None:
            return mention.text
        span = read(text).char_span(mention.start, mention.end, alignment_mode="expand")
        return str(span.root.text) if span is not None else mention.text

    return head_word
