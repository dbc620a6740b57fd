"""Mutants: broken versions of the product that the tests must notice."""
