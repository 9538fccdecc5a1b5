"""Phoenix: recommendation models as arrays in, arrays out.

The ranker (`phoenix.recsys_model`) scores candidates given a user and a history; the two-tower
retrieval model (`phoenix.recsys_retrieval_model`) finds candidates in a corpus. `phoenix.runners`
joins them with parameters and example data. The module, class and parameter names are those of the
public Phoenix models, so that a public checkpoint loads by name.
"""
