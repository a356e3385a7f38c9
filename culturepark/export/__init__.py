"""Samples as files that trainers and the Hub can load, and as ``datasets.Dataset``; splits that do not leak."""
