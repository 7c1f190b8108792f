"""Notebook jobs of JupyterLab as Argo workflows: a back end of jupyter_scheduler."""
