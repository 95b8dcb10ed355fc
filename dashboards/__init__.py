"""What a person looks at: figures, pictures and the report, read from the ledger. Decides and changes nothing."""
