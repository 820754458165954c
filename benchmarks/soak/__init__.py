"""A service under mixed traffic for long, then far too much of it, then little again: ``make soak``."""
