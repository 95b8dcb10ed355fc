"""Policies as other libraries use them: one module each."""
