"""From `plugins:` in the config to plugins in use: the keys, manifests, references, plans, and their host."""
