"""Looking at data sets before a network is trained on them: what `basicsr check` finds, counts and draws."""
