"""A property that every reader keeps: a mention is what stands at its offsets."""

from __future__ import annotations

from knowcoder.corpus.reading import Corpus


def assert_mentions_hold(corpus: Corpus) -> None:
    for sentences in corpus.splits.values():
        for sentence in sentences:
            found = [mention for relation in sentence.relations for mention in (relation.head, relation.tail)]
            for event in sentence.events:
                found += [event.trigger] if event.trigger else []
                found += [argument.mention for argument in event.arguments]
            for mention in (*sentence.entities, *found):
                assert sentence.text[mention.start : mention.end] == mention.text
