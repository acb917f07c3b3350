"""Worker processes in which DjVu files are read and drawn, with limits of memory and time."""
