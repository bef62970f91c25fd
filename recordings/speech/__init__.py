"""Texts made into sound by speech engines, in a process of their own."""
