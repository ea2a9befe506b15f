"""Where client libraries are patched, and how each patch is undone."""
