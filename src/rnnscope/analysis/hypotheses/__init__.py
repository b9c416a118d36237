"""Claims about a text that a unit might keep track of.

A hypothesis is a small class that labels every symbol of a passage. The built-in ones stand in `place`, `enclosure`,
`content`, `syntax`, `since` and `prediction`; they come in through the entry point `rnnscope.hypotheses`, like anybody's. `own`
makes one of a function, a regular expression, a tree-sitter query or a column of a file.
"""
