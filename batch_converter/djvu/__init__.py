"""DjVu → PDF: what a file is (`inspect`), and its conversion in a worker process."""
