"""How the models of this study are trained: one trainer for all, named scales, equal compute."""
