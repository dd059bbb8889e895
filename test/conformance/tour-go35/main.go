// The tour with clientv3 of etcd 3.5, as programs that were never updated use it.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const timeout = 20 * time.Second

func check(step string, ok bool, err error) {
	if err != nil || !ok {
		fmt.Println(step, "failed:", err)
		os.Exit(1)
	}
	fmt.Println(step, "ok")
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: timeout})
	check("connect", true, err)
	defer c.Close()
	events := c.Watch(ctx, "go35/", clientv3.WithPrefix(), clientv3.WithPrevKV())
	check("progress", true, c.RequestProgress(ctx))
	put, err := c.Put(ctx, "go35/a", "1")
	check("put", put != nil && put.Header.Revision > 1, err)
	_, err = c.Put(ctx, "go35/b", "2")
	check("put second", true, err)
	get, err := c.Get(ctx, "go35/a")
	check("get", get != nil && string(get.Kvs[0].Value) == "1", err)
	get, err = c.Get(ctx, "go35/", clientv3.WithPrefix())
	check("prefix", get != nil && get.Count == 2, err)
	txn, err := c.Txn(ctx).If(clientv3.Compare(clientv3.Value("go35/a"), "=", "1")).
		Then(clientv3.OpPut("go35/a", "3")).Else(clientv3.OpGet("go35/a")).Commit()
	check("txn", txn != nil && txn.Succeeded, err)
	lease, err := c.Grant(ctx, 30)
	check("lease", true, err)
	_, err = c.Put(ctx, "go35/c", "leased", clientv3.WithLease(lease.ID))
	check("put with lease", true, err)
	alive, err := c.KeepAliveOnce(ctx, lease.ID)
	check("keep alive", alive != nil && alive.TTL == 30, err)
	_, err = c.Revoke(ctx, lease.ID)
	check("revoke", true, err)
	deleted, err := c.Delete(ctx, "go35/", clientv3.WithPrefix())
	check("delete", deleted != nil && deleted.Deleted == 2, err)
	seen := 0
	for answer := range events {
		seen += len(answer.Events)
		if seen >= 7 {
			break
		}
	}
	check("watch", seen == 7, nil)
}
