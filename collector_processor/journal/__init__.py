"""Keep every accepted request, durable and in order, until nobody needs it any more."""
