"""`python -m probes.report`: one page about runs; it opens without a network and says what was measured and what not.

__main__.py    options, reading, writing
gather.py      from records to what the page needs
contents.py    that, as values
decision.py situations.py draws.py   which pattern suits a situation, and how sure that is
page.py        the page as the list of its sections; sections of one kind in a file each
markup.py amounts.py scale.py figures   what the sections are made of
assets/        style and script, written into the page; it loads nothing
"""
