"""Tables and traces → pictures. A view is plain data first; renderers draw it and compute nothing."""

import logging

# matplotlib tells of a home that can't be written, and of fonts that it looks for, through this logger. Who has set up logging
# still hears it; nobody else finds it among what a command prints.
logging.getLogger("matplotlib").addHandler(logging.NullHandler())
