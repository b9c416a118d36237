"""Inner loops in C++, reached through ctypes: `histograms` for scores, `recurrent` for networks.

Each says whether it was compiled; where there was no compiler numpy or torch does the same, slower. One binary serves every
processor of its kind: what the one at hand can do is found out when it is loaded.
"""
