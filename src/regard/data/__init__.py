"""Reading pairs, tokenisers, and the batch plan."""
