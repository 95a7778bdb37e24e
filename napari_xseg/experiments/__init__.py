"""Many trainings from one plan: what they show, with repeats and intervals."""
