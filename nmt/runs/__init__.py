"""Run directories: what is in them (`store`), their weights (`weights`), and runs made out of others (`derive`)."""
