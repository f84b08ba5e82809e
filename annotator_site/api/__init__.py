"""The REST API: serializers shape and check, views ask for rights; writes go to the pools.

Nobody imports it. `base.py` has what every view does, in its order: throttle by address, log in,
scope, right, throttle by user, answer.
"""
