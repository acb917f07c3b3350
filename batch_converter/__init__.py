"""Convert whole archives of DjVu files to PDF."""
