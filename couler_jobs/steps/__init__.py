"""Steps that run a distributed job of a Kubernetes operator, and wait for its end.

Each makes one object in the cluster, whose operator has to be installed there: `tensorflow`,
`pytorch`, `mpi`, `katib`, `spark`, `ray`. The object is deleted with the workflow.

Conditions are Kubernetes' label selectors over the object's fields, as Argo reads them: of
failures one is enough, of successes all have to hold.
"""
