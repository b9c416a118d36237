"""Everything that reads a text and predicts its next symbol.

`LanguageModel` (in `protocol`) is what they have in common; `RecurrentLM` and `WindowLM` are the networks trained here. The
equations of cells stand in `cells`, once; `fused` runs the same equations through torch's kernels.
"""

from rnnscope.models.architecture import Architecture
from rnnscope.models.base import Network
from rnnscope.models.evaluation import Evaluation, evaluate
from rnnscope.models.network import RecurrentLM
from rnnscope.models.recurrent import Recurrent
from rnnscope.models.window import WindowLM

__all__ = ["Architecture", "Evaluation", "Network", "Recurrent", "RecurrentLM", "WindowLM", "evaluate"]
