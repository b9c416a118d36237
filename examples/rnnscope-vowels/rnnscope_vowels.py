"""A hypothesis that comes in a package of its own."""

import rnnscope as rs


class Vowel(rs.Hypothesis):
    name = "vowel"
    sentence = "whether the last symbol was a vowel"
    family = "content"

    def label(self, passage):
        return passage.among("aeiouAEIOU")
