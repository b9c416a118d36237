"""Everything that reads a text and predicts its next symbol.

`LanguageModel` (in `protocol`) is what they have in common; `RecurrentLM` is the network trained here. The equations of its
cells stand in `cells`, once; `fused` runs the same equations through torch's kernels.
"""

from rnnscope.models.architecture import Architecture
from rnnscope.models.evaluation import Evaluation, evaluate
from rnnscope.models.network import RecurrentLM
from rnnscope.models.recurrent import Recurrent

__all__ = ["Architecture", "Evaluation", "Recurrent", "RecurrentLM", "evaluate"]
