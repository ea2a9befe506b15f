"""From raw spans to a judged trace: decode, dialects, assemble, completeness, evaluation. Pure."""
