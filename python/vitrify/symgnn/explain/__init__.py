"""`vitrify explain`: which edges a prediction needs, and whether their lengths alone would say the same."""
