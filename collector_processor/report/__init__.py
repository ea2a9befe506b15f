"""Answer from the store: what is missing, how checks went, what one trace was. Read-only."""
