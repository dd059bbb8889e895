/** Services that find each other through etcd: register, resolve, watch. */
import type { CallOptions, KvWatchLease } from "../types.ts";
import { decodeInstance, plainName, servicePrefix, type ServiceInstance } from "./instance.ts";
import { Registration, type RegistrationOptions } from "./registration.ts";
import { ServiceSet } from "./service-set.ts";

export interface RegistryOptions {
  /** Keys are `<prefix>/<service>/<id>`; "" for none. Default "services". */
  readonly prefix?: string;
}

export interface ServiceOptions extends RegistrationOptions {
  readonly name: string;
  /** Where it serves: host:port. */
  readonly address: string;
  /**
   * Tells the instances of a service apart; who registers the same one later takes the entry over.
   * Default: the address, so that a process that starts again replaces its former entry.
   */
  readonly id?: string;
  /** Anything JSON can say: version, zone, weight. */
  readonly metadata?: unknown;
}

const prefixDefault = "services";

export class ServiceRegistry {
  readonly #client: KvWatchLease;
  readonly #prefix: string;

  constructor(client: KvWatchLease, options: RegistryOptions = {}) {
    this.#client = client;
    this.#prefix = options.prefix ?? prefixDefault;
  }

  /**
   * Lists an instance until the registration is closed: on a lease that is renewed, and anew when
   * the lease was lost. Rejects when the first attempt fails.
   */
  async register(options: ServiceOptions): Promise<Registration> {
    const { name, address, metadata = null } = options;
    const prefix = servicePrefix(this.#prefix, name);
    const id = plainName(options.id ?? address, "id");
    const instance: ServiceInstance = { service: name, id, address, metadata };
    const registration = new Registration(this.#client, prefix + id, instance, options);
    await registration.start();
    return registration;
  }

  /** The instances listed now, in order of their ids. */
  async resolve(name: string, options: CallOptions = {}): Promise<ServiceInstance[]> {
    const prefix = servicePrefix(this.#prefix, name);
    const { kvs } = await this.#client.kv.get(prefix, { ...options, prefix: true });
    return kvs.flatMap((kv) => decodeInstance(name, prefix, kv) ?? []);
  }

  /** The instances as they come and go. Close it when it is no longer needed. */
  watch(name: string): ServiceSet {
    return new ServiceSet(this.#client, this.#prefix, name);
  }
}
