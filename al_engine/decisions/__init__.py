"""Decisions from numbers alone, shared by the engine and simulated campaigns.

`rules` says when a server trains and when a worker scores its images, `refill` how deep S is kept,
`dealing` which worker uses which strategy and which server which architecture, `architecture` what
suits images and what names of architectures say, `comparing` how much better one model is. Pure
functions of the standard library: no Django, no torch, no clock of their own.
"""
