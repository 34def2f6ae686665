"""What every process says of itself: lines of JSON, and spans of frames. Needs no ROS."""
