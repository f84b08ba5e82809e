"""Parts of the labeling benchmarks: a site of their own, a lean crowd, and echoes to compare with.

`place` starts a database and servers in a folder of their own; `crowd` simulates people, `arriving`
their arrival and `floods` abuse; `wire` is the client's end of a WebSocket; `echo` has echo
servers, an upper bound for any server, and `echo_crowd` their clients.
"""
