"""What is counted of commands and of the queue."""

from hector_mesh.metrics import Counter, Gauge

COMMANDS = Counter("hector_commands_total", "Commands to runs, by what they came to.", ("command", "outcome"))
DEPTH = Gauge("hector_queue_depth", "Runs that are due and that nobody has, in all processes.", ("agent",))
AGE_S = Gauge("hector_queue_age_seconds", "For how long the first of the due runs has been due.")
DEAD = Gauge("hector_dead_letters", "Runs that nobody tries again, until they are requeued.", ("agent",))
