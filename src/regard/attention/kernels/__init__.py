"""Kernels: different ways to the same result. None imports another; each is tested against the reference."""
