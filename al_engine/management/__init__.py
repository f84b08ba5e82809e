"""Management commands of the engine: arguments in, one call out; the work is in `roles`."""
