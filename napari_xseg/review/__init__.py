"""What is wrong with a mask: figures, mistakes, pictures and reports."""
