"""The stages of a study beside its search: what is trained besides searched policies, in which order, and what it decides.

Each stage is a module; `policysearch.search` puts them in order. The rows and facts of the ledger say how far a study has come,
so that the same command goes on from anywhere and trains nothing twice.
"""
