"""Testing tracked tasks: a pytest plugin that runs them on a worker of their own and shows what became of them."""
