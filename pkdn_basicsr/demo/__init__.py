"""The page of `basicsr demo`: networks tried out on one's own pictures, in a browser on the same machine."""
