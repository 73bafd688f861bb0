"""Our networks and metrics in other toolboxes, one small module each; none is imported by `import pkdn_basicsr`."""
