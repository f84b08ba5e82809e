"""What is decided by numbers alone, in the product and in simulated campaigns alike.

`rules` says when a server trains and when a worker scores its images, `refill` how deep S is kept,
`dealing` which worker uses which strategy. Pure functions of the standard library: no Django, no
torch, no clock of their own.
"""
