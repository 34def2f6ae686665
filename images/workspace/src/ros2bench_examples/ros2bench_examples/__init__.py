"""Small applications: publish/subscribe, service, action, simulation, queue."""
