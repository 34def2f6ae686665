"""Images of everything that runs in the pods: their content, and the program that builds and pushes them."""
