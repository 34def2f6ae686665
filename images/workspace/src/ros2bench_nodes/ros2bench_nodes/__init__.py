"""Reference application: camera, detector, reader and monitor."""
