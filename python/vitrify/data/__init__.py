"""Data files of vitrify and the datasets that training reads from them."""
