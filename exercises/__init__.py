"""Self-checks of the exercises: one module per chapter, on the base of ``exercises.base``."""
