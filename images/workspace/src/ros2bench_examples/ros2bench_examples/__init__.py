"""Small complete applications: publish/subscribe, service, action, simulation."""
