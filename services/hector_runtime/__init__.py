"""Turns a config file into running roles: the table of roles, the process, the command line."""
