"""Search: words of messages and contacts, made once in Python, in one table of every database.

- :mod:`host.search.words`: text into words.
- :mod:`host.search.postings`: which document has which word, written and forgotten.
- :mod:`host.search.documents`: what a message or a contact says, and keeping its postings so.
- :mod:`host.search.building`: the same for what was there before, in portions.
- :mod:`host.search.finding`: a query, and what it finds.
"""
