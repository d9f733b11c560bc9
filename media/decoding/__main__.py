"""`python -m media.decoding FD`: the helper that decodes one file; started by `media.decoding.process`."""

import os
import socket
import sys

from media.decoding.helper import serve

with socket.socket(fileno=int(sys.argv[1])) as link:
    serve(link)
    os._exit(0)  # taking the libraries apart opens files and is of no use
