import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.Watch;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.DeleteOption;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.options.WatchOption;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The tour with jetcd. */
public final class Tour {
  private static final long TIMEOUT_S = 20;
  private static final int EVENTS = 7;

  private static ByteSequence bytes(String text) {
    return ByteSequence.from(text, StandardCharsets.UTF_8);
  }

  private static void check(String step, boolean ok) {
    System.out.println(step + (ok ? " ok" : " failed"));
    if (!ok) System.exit(1);
  }

  public static void main(String[] args) throws Exception {
    try (Client client = Client.builder().endpoints("http://" + args[0]).build()) {
      KV kv = client.getKVClient();
      ByteSequence prefix = bytes("jetcd/");
      ByteSequence a = bytes("jetcd/a");
      CountDownLatch events = new CountDownLatch(EVENTS);
      CountDownLatch created = new CountDownLatch(1);
      WatchOption watching =
          WatchOption.builder().isPrefix(true).withPrevKV(true).withCreateNotify(true).build();
      Watch.Watcher watcher =
          client.getWatchClient().watch(prefix, watching, answer -> {
            if (answer.isCreatedNotify()) created.countDown();
            answer.getEvents().forEach(event -> events.countDown());
          });
      check("watch created", created.await(TIMEOUT_S, TimeUnit.SECONDS));
      kv.put(a, bytes("1")).get(TIMEOUT_S, TimeUnit.SECONDS);
      kv.put(bytes("jetcd/b"), bytes("2")).get(TIMEOUT_S, TimeUnit.SECONDS);
      check("get", kv.get(a).get().getKvs().get(0).getValue().equals(bytes("1")));
      GetOption all = GetOption.builder().isPrefix(true).build();
      check("prefix", kv.get(prefix, all).get().getCount() == 2);
      boolean succeeded =
          kv.txn()
              .If(new Cmp(a, Cmp.Op.EQUAL, CmpTarget.value(bytes("1"))))
              .Then(Op.put(a, bytes("3"), PutOption.DEFAULT))
              .Else(Op.get(a, GetOption.DEFAULT))
              .commit()
              .get()
              .isSucceeded();
      check("txn", succeeded);
      long lease = client.getLeaseClient().grant(30).get().getID();
      PutOption leased = PutOption.builder().withLeaseId(lease).build();
      kv.put(bytes("jetcd/c"), bytes("leased"), leased).get();
      check("keep alive", client.getLeaseClient().keepAliveOnce(lease).get().getTTL() == 30);
      client.getLeaseClient().revoke(lease).get();
      DeleteOption everything = DeleteOption.builder().isPrefix(true).build();
      check("delete", kv.delete(prefix, everything).get().getDeleted() == 2);
      check("watch", events.await(TIMEOUT_S, TimeUnit.SECONDS));
      watcher.close();
    }
  }
}
