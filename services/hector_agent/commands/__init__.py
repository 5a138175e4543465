"""What is asked of runs beside messages: stop, pause, go on, be tried again; and what operators see of it."""
