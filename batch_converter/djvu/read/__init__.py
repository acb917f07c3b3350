"""What a DjVu file says: its containers, its directory, its pages, its texts and facts.

Knows nothing of PDF. Any file may be hostile, so nothing here recurses or allocates as
a file wishes.
"""
