"""What it takes to believe that a unit keeps track of something, and what to look at then.

`examine` scores a trace, lets untrained networks of the same shape try, too, and takes units out of the network to see
what it loses.
"""

from rnnscope.findings.examination import examine

__all__ = ["examine"]
