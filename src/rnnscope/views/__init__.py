"""Tables and traces → pictures. A view is plain data first; renderers draw it and compute nothing."""
