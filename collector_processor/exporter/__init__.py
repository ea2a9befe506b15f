"""Send on what was received, and what was found, to any OTLP backend.

The journal is the persistent queue: a cursor over it, on disk, is all that a backend costs. A
backend that is down costs disk, and nothing else.
"""
