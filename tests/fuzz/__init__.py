"""Every endpoint fed with what its reference allows, and with what it does not (schemathesis, all checks).

In the suite a few cases for each endpoint; `python -m tests.fuzz` runs 1,000, or as many as `--cases` says.
"""
