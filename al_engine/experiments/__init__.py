"""What would this arrangement of servers, workers and people have done?

Real training and real selection by the product's own parts, on a virtual clock: so a run on one
device says what m servers and k workers would have done, and is repeatable from its seed. Needs
torch, torchvision, numpy and matplotlib; neither Django nor a database.
"""
