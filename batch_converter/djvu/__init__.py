"""DjVu → PDF, in worker processes: `work` over `draw` over `read` over `kernels`."""
