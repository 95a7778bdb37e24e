"""The Review dock: misclassified pixels, scores, and the list of mistakes."""
