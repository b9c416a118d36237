"""What a table of the last n symbols knows: n-grams of every order, from one sort of the text. No torch.

`contexts` sorts, `growth` makes a `ContextTree` of that (`tree`), `kneser_ney` turns its counts into probabilities, and `NGramLM`
is the language model; `index` keeps it in a folder.
"""

from rnnscope.ngrams.model import NGramLM

__all__ = ["NGramLM"]
