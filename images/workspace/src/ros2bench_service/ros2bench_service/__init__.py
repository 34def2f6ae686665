"""What the recorder and the machine reader share: signed calls, files of captures. Needs no ROS."""
