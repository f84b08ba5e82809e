"""What a connection may cost before anybody knows whose it is: bytes, time, files, turns."""
