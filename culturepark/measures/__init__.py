"""Figures about data: agreement of judges, diversity of texts, vectors and opinions, and how much of it is template.

Pure functions of their arguments; what is random takes a seed, what is large is sampled or cut.
"""
