"""The Label dock: classes, brush, pre-filling from grey values or a model."""
