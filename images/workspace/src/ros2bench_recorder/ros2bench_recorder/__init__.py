"""The ROS 2 probe: records when each message was due, sent, received and taken."""
