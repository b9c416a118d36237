"""Text → symbols.

A `Corpus` is a text with a `Vocabulary`; a split of a corpus is a corpus, made of one or more segments.
A position is always an index of a symbol: of a byte or of a Unicode character, as the vocabulary says.
"""

from rnnscope.corpora.corpus import Corpus
from rnnscope.corpora.named import find, named_corpora
from rnnscope.corpora.splits import ContiguousSplit, SplitRule, StreamSplit
from rnnscope.corpora.vocabulary import Vocabulary

__all__ = ["ContiguousSplit", "Corpus", "SplitRule", "StreamSplit", "Vocabulary", "find", "named_corpora"]
