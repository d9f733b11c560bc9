"""What the REST families render: pure planning, the script writer, and the job handlers over the studio."""
