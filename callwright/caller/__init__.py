"""Callers without a telephone: scripted ones, people in a terminal, random ones, on a virtual clock; and calls again.

`script` is what such a caller does and what the world answers, `answers` the words for it, `course` the call itself,
`fuzz` many of them at random, `again` a finished call from its journal.
"""
