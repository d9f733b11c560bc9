"""The REST API in a process of its own: its work shares neither the interpreter nor the loop with live calls.

The server accepts all connections. One whose request the API process can answer moves there as a file descriptor,
with what was read of it, and moves back when a request on it is for anything else.
"""
