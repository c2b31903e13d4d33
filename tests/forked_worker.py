"""What pytest-xdist starts in a worker's place: it gives its streams to the one that is forked, and ends with it."""

import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    socket.send_fds(connection, [b"\0"], [0, 1, 2])
    connection.recv(1)
