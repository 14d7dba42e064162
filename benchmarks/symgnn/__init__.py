"""SymGNN: variants, transfer between glasses, explanations and cost."""
