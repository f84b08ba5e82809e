"""Parts of the growth benchmark: pools of any size, and people who drive the desk's batches.

`pools` creates and fills two databases in one cluster, `desk` answers and claims in them,
`drawings` makes small images for other benchmarks.
"""
