"""A fifth kind of model, from outside of vitrify: the coordination number of each atom, smoothly counted.

It shows what a kind must bring, and tests hold that no line of vitrify has to change for it.
"""
