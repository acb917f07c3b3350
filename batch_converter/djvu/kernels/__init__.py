"""Numeric inner loops: the Z'-coder, JB2 shapes, MMR runs, JBIG2 and its MQ coder.

Flat functions over buffers, integers and tables, which know no file, no page and
no library but numpy: so they can be tested by themselves, and compiled.
"""
