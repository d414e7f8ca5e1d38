"""A real etcd and kube-apiserver: found, downloaded or built, started and stopped."""
