"""The subcommands of `python -m server`, a module each.

A module has `add(commands)`, which adds its parser with a default `run`: a function of the parsed options that returns
the exit code. What is heavy is imported when the command runs, not when its parser is made.
"""
