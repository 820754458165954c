"""Faults injected into a service under load, with every answer compared: ``make chaos``."""
