"""Attention maps to be looked at: in the terminal (`terminal`) and as pictures (`figure`)."""
