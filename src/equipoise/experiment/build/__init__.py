"""From a configuration to objects; only this package knows every part."""
