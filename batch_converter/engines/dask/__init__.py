"""The embedded engine on a Dask cluster.

The registry imports `spec`, which loads no Dask: that is an extra.
"""
