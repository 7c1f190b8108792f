"""The main job, shown: a notebook job that outlives JupyterLab."""
