package main

import (
	"errors"
	"io"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const expiryWait = 15 * time.Second

func (s *scenarios) grant(step string, id, ttl int64) {
	m, err := s.lease.LeaseGrant(call(), &pb.LeaseGrantRequest{ID: id, TTL: ttl})
	s.show(step, m, err)
}

func (s *scenarios) revoke(step string, id int64) {
	m, err := s.lease.LeaseRevoke(call(), &pb.LeaseRevokeRequest{ID: id})
	s.show(step, m, err)
}

func (s *scenarios) timeToLive(step string, id int64) {
	m, err := s.lease.LeaseTimeToLive(call(), &pb.LeaseTimeToLiveRequest{ID: id, Keys: true})
	s.show(step, m, err)
}

func leases(s *scenarios) {
	s.grant("given id", 0x77, 600)
	s.grant("same id", 0x77, 600)
	s.grant("negative id", -3, 600)
	s.grant("smallest id", math.MinInt64, 600)
	s.grant("zero seconds", 0x78, 0)
	s.grant("negative seconds", 0x79, -5)
	s.grant("one second", 0x7a, 1)
	s.grant("longest", 0x7b, 9_000_000_000)
	s.grant("too long", 0x7c, 9_000_000_001)
	s.grant("much too long", 0x7c, math.MaxInt64)
	for _, id := range []int64{0x78, 0x79, 0x7a, 0x7b, -3, math.MinInt64} {
		s.revoke("tidy", id)
	}
	m, err := s.lease.LeaseGrant(call(), &pb.LeaseGrantRequest{TTL: 600})
	must(err)
	s.note("chosen id", "positive %v ttl %d", m.ID > 0, m.TTL)
	s.revokeQuietly(m.ID)
	s.timeToLive("without keys", 0x77)
	s.timeToLive("missing", 0x999)
	s.timeToLive("zero", 0)
	s.put("attach", &pb.PutRequest{Key: []byte("l/a"), Lease: 0x77})
	s.timeToLive("with key", 0x77)
	s.get("lease of the key", &pb.RangeRequest{Key: []byte("l/a")})
	s.get("keys only", &pb.RangeRequest{Key: []byte("l/a"), KeysOnly: true})
	s.put("ignore_lease keeps it", &pb.PutRequest{Key: []byte("l/a"), Value: []byte("2"), IgnoreLease: true, PrevKv: true})
	s.timeToLive("kept", 0x77)
	s.put("put without lease detaches", &pb.PutRequest{Key: []byte("l/a"), Value: []byte("3")})
	s.timeToLive("detached", 0x77)
	s.grant("second", 0x80, 600)
	s.put("attach", &pb.PutRequest{Key: []byte("l/b"), Lease: 0x77})
	s.put("move", &pb.PutRequest{Key: []byte("l/b"), Lease: 0x80})
	s.timeToLive("moved from", 0x77)
	s.timeToLive("moved to", 0x80)
	s.del("delete detaches", &pb.DeleteRangeRequest{Key: []byte("l/b")})
	s.timeToLive("after delete", 0x80)
	list, err := s.lease.LeaseLeases(call(), &pb.LeaseLeasesRequest{})
	must(err)
	s.note("list", "%d leases", len(list.Leases))
	for _, key := range []string{"l/z", "l/a", "l/m"} {
		s.put("attach", &pb.PutRequest{Key: []byte(key), Lease: 0x80})
	}
	s.revoke("with keys", 0x80)
	s.get("keys are gone", &pb.RangeRequest{Key: []byte("l/"), RangeEnd: []byte("l0")})
	s.revoke("again", 0x80)
	s.revoke("without keys", 0x77)
	s.revoke("zero", 0)
	s.revoke("negative", -1)
	s.grant("same id after revoke", 0x77, 600)
	s.keepAlives()
	s.revoke("last", 0x77)
}

func (s *scenarios) revokeQuietly(id int64) {
	_, err := s.lease.LeaseRevoke(call(), &pb.LeaseRevokeRequest{ID: id})
	must(err)
}

func (s *scenarios) keepAlives() {
	stream, err := s.lease.LeaseKeepAlive(call())
	must(err)
	for _, id := range []int64{0x77, 0x999, 0x77, 0, -1, math.MaxInt64} {
		must(stream.Send(&pb.LeaseKeepAliveRequest{ID: id}))
		m, err := stream.Recv()
		s.show("keep alive", m, err)
	}
	must(stream.CloseSend())
	_, err = stream.Recv()
	s.note("half-close", "ends %v", errors.Is(err, io.EOF))
}

// leaseExpiry lets a lease of the shortest time run out and watches its keys go.
func leaseExpiry(s *scenarios) {
	s.grant("short", 0x90, 2)
	for _, key := range []string{"x/b", "x/a"} {
		s.put("attach", &pb.PutRequest{Key: []byte(key), Lease: 0x90})
	}
	deadline := time.Now().Add(expiryWait)
	for {
		m, err := s.kv.Range(call(), &pb.RangeRequest{Key: []byte("x/"), RangeEnd: []byte("x0"), CountOnly: true})
		must(err)
		if m.Count == 0 {
			break
		}
		if time.Now().After(deadline) {
			s.note("expired", "not in time")
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.get("one revision for both", &pb.RangeRequest{Key: []byte("x/"), RangeEnd: []byte("x0")})
	s.timeToLive("expired", 0x90)
	s.revoke("expired", 0x90)
}
