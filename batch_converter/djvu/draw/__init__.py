"""The PDF of a DjVu: pictures, masks, text, links, notes and metadata, as PDF wants them."""
