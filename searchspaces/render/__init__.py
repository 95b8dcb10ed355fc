"""Search spaces in the words of optimisers: one module each, which imports its library inside its functions."""
