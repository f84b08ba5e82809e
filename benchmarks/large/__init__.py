"""What the growth benchmark stands on: pools of any size, and people who drive the desk's batches.

`pools` makes two databases of one cluster and fills them, `desk` answers and claims in them.
"""
