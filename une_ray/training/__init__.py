"""How the mini zoo is trained: one file per recipe over one loop. `jobs/train_mini_zoo.py` runs them."""
