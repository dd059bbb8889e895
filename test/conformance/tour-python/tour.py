"""The tour with the Python package etcd3."""

import sys
import threading

import etcd3

TIMEOUT_S = 20
EVENTS = 7


def check(step, ok):
    print(step, "ok" if ok else "failed", flush=True)
    if not ok:
        sys.exit(1)


def main():
    host, port = sys.argv[1].split(":")
    client = etcd3.client(host=host, port=int(port), timeout=TIMEOUT_S)
    events, cancel = client.watch_prefix("py/", prev_kv=True)
    seen = threading.Semaphore(0)

    def read():
        for _ in events:
            seen.release()

    threading.Thread(target=read, daemon=True).start()
    client.put("py/a", "1")
    client.put("py/b", "2")
    check("get", client.get("py/a")[0] == b"1")
    check("prefix", len(list(client.get_prefix("py/"))) == 2)
    succeeded, _ = client.transaction(
        compare=[client.transactions.value("py/a") == "1"],
        success=[client.transactions.put("py/a", "3")],
        failure=[client.transactions.get("py/a")],
    )
    check("txn", succeeded)
    lease = client.lease(30)
    client.put("py/c", "leased", lease=lease)
    check("keep alive", lease.refresh()[0].TTL == 30)
    check("time to live", 0 < lease.remaining_ttl <= 30)
    lease.revoke()
    check("lease is gone", client.get("py/c")[0] is None)
    check("delete", client.delete_prefix("py/").deleted == 2)
    check("watch", all(seen.acquire(timeout=TIMEOUT_S) for _ in range(EVENTS)))
    cancel()
    client.close()


main()
