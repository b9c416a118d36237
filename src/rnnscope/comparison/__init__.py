"""How models differ on one text: where they err together, which symbols one knows better, how long they know what is open.

`readings` lets every model (network, n-grams, somebody else's, a trace) read the text once; all else is made from that.
"""

from rnnscope.comparison.comparison import Comparison, compare
from rnnscope.comparison.readings import Readings, read_all

__all__ = ["Comparison", "Readings", "compare", "read_all"]
