"""Several processes that are one server: a supervisor, and the workers that it starts and starts again."""
