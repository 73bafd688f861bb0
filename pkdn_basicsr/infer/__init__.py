"""Using a trained network on one's own pictures: faces, folders of faces, photographs."""
