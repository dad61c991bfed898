"""Simulated Workers: a small crowd that uses the worker site as people do, by its pages and forms alone.

pages        what a page shows: links, forms, frames, pictures
browser      opens pages and submits forms, with cookies and a person's patience
pictures     whether a picture loads
truth        what the pictures really show
behaviour    how a kind of Worker answers, and how fast
worker       one Worker's day: sign in, look for a HIT, accept, answer, submit
mischief     what a hostile Worker does instead
crowd        many of them at once
"""
