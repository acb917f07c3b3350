"""Plain values that cross the pipe between a run and its worker processes.

Nothing here reads a DjVu: these modules are all of `djvu` but `work` that the process
that drives a run may import.
"""
