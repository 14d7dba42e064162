"""Saddle searches: their cost, and their labels against published ones."""
