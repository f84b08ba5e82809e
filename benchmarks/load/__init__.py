"""What the labeling benchmarks stand on: a site of their own, a lean crowd, echoes to compare with.

`place` starts a database and servers in a folder of their own, `crowd` plays the people, `wire`
is their end of a WebSocket, `echo` the servers that do nothing, which bound what a server can do.
"""
