"""How many copies of a pod run, and what each asks for: on signals of ROS, and on what was used."""
