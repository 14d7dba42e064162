"""SymGNN: models of a property of each atom, such as its energy barrier, with explanations."""
