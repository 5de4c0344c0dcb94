"""From a configuration to objects to a run: the only layer that knows every part."""
