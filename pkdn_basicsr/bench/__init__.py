"""Measurements behind `basicsr bench`: how long things take, and how long they would have to take."""
