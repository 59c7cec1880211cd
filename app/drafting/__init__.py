"""A draft between the form and the file: the questions that are asked, the text that is kept, and what is wrong with it.

Nothing here knows of pages. What is edited is the text of the design file itself, so that the form, the file and Python
are one thing, and what the form does not ask for stays as it was written.
"""
