/** The etcd version followed, on every interface where a client may ask for it. */
export const etcdVersion = "3.7.1";
/** The cluster and storage version a cluster of such members agrees on. */
export const clusterVersion = "3.7.0";
