"""Files made to break decoders, and what the service answers to them: ``make hostile``."""
