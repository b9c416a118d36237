"""What kind each error of a model is: oracles peel them off one after the other. Source: PAPER section 7.

`mistakes` are the errors and what is known about them, `oracles` the rules, `breakdown` applies them in order.
"""

from rnnscope.breakdown.breakdown import Breakdown, by_errors, errors, gained
from rnnscope.breakdown.mistakes import Mistakes
from rnnscope.breakdown.oracles import Oracle, oracle, oracles

__all__ = ["Breakdown", "Mistakes", "Oracle", "by_errors", "errors", "gained", "oracle", "oracles"]
