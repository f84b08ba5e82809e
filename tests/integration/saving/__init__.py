"""What a person said is saved, whatever goes wrong on the way: a real desk in the test's process, a
real PostgreSQL that is made to fail. injector.py says where and how.
"""
