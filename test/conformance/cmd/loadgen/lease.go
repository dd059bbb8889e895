package main

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaseStream is one keepalive stream. clientv3's own KeepAlive renews every third of the time to live
// and cannot be used to put load on a server.
type leaseStream struct {
	stream pb.Lease_LeaseKeepAliveClient
}

func openLeaseStream(c *clientv3.Client) leaseStream {
	stream, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(context.Background())
	must(err)
	return leaseStream{stream}
}

func (l leaseStream) renew(id clientv3.LeaseID) error {
	if err := l.stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
		return err
	}
	_, err := l.stream.Recv()
	return err
}
