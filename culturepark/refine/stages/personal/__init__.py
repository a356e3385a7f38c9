"""Finders of personal data, each for one family: contacts, phones, identity numbers, money, addresses, birth dates.

They look at a text in ``level`` form. Rules are shapes, check digits and cue words in nine languages; a shape that
everyday talk also has (years, prices, scores) counts only beside a cue.
"""
