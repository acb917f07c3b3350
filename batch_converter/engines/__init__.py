"""The engines that turn a DjVu file into a PDF."""
